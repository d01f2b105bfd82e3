// SPDX-License-Identifier: GPL-2.0

//! Hardware that finishes a job when it is told to.

use core::ops::Deref;

use kernel::{
    device,
    faux,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::{
        msecs_to_jiffies,
        Delta,
        Jiffies, //
    }, //
};

use crate::{
    rust::{
        dma_fence::{
            Fence,
            PendingFence,
            UnpublishedFence, //
        },
        drm::sched::{
            Entity,
            Job,
            Priority,
            Scheduler,
            UnarmedJob, //
        },
        module::DropGuarantee, //
    },
    tests::{
        fake::faux_device,
        rust::dma_fence::timeline, //
    }, //
};

pub(super) use crate::tests::{
    rust::dma_fence::fence,
    wait::{
        settle,
        soon, //
    }, //
};

/// The number of jobs that the hardware remembers.
const JOBS: usize = 16;

fn unpublished() -> Result<UnpublishedFence> {
    timeline()?.new_fence()
}

/// Waits for a fence, and returns how it ended; [`ETIME`] if it has not in half a minute. The jobs
/// of tests that show that nothing waits for a time-out have twice as long.
pub(super) fn outcome(fence: &Fence) -> Result {
    // After a stall the wait may say that it was too long although the fence has signalled.
    let _ = fence.wait(false, msecs_to_jiffies(30_000));

    fence.status().ok_or(ETIME)?
}

/// The hardware's behaviour on a job.
pub(super) enum Task {
    /// Works on it until it is told that it is done.
    Long,
    /// Is done at once.
    Nothing,
    /// Refuses it.
    Fail(Error),
}

/// The payload of a job.
pub(super) enum Payload {
    Long(UnpublishedFence),
    Nothing,
    Fail(Error),
}

/// The fences that a job asks to wait for when it is its turn, the last one first.
#[pin_data]
pub(super) struct Hurdles {
    #[pin]
    fences: Mutex<KVec<ARef<Fence>>>,
    /// How often they were asked for.
    asked: Atomic<u32>,
}

impl Hurdles {
    pub(super) fn new() -> Result<Arc<Self>> {
        let fences = KVec::with_capacity(JOBS, GFP_KERNEL)?;

        Arc::pin_init(
            pin_init!(Self {
                fences <- new_mutex!(fences),
                asked: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// Adds a fence, without allocating.
    pub(super) fn add(&self, fence: ARef<Fence>) -> Result {
        Ok(self.fences.lock().push(fence, GFP_NOWAIT)?)
    }

    pub(super) fn asked(&self) -> u32 {
        self.asked.load(Relaxed)
    }
}

pub(super) struct MockJob {
    id: u32,
    hung: bool,
    hurdles: Option<Arc<Hurdles>>,
    jobs: Arc<Atomic<u32>>,
    /// An object that it keeps.
    _load: Option<KBox<dyn Load>>,
}

/// Anything that a job may own.
pub(super) trait Load: Send + Sync {}

impl<T: Send + Sync> Load for T {}

impl Drop for MockJob {
    fn drop(&mut self) {
        self.jobs.fetch_sub(1, Relaxed);
    }
}

/// The jobs that the hardware knows.
struct Jobs {
    /// In the order in which they were started.
    started: KVec<u32>,
    running: KVec<(u32, PendingFence)>,
}

/// The hardware.
#[pin_data]
pub(super) struct Hw {
    #[pin]
    jobs: Mutex<Jobs>,
    looks: Atomic<u32>,
    resets: Atomic<u32>,
    /// A reset does not end while this is held.
    #[pin]
    pub(super) gate: Mutex<()>,
}

impl Hw {
    /// Returns the jobs in the order in which they were started, as the digits of a number.
    pub(super) fn started(&self) -> u32 {
        let jobs = self.jobs.lock();

        jobs.started.iter().fold(0, |all, id| all * 10 + id)
    }

    /// Returns how often it was asked whether it hangs.
    pub(super) fn looks(&self) -> u32 {
        self.looks.load(Relaxed)
    }

    /// Returns how often it was reset.
    pub(super) fn resets(&self) -> u32 {
        self.resets.load(Relaxed)
    }

    fn take(&self, id: u32) -> Option<PendingFence> {
        let mut jobs = self.jobs.lock();
        let index = jobs
            .running
            .iter()
            .position(|(running, _)| *running == id)?;

        jobs.running.remove(index).ok().map(|(_, pending)| pending)
    }

    /// Returns the fence that a running job signals.
    pub(super) fn fence(&self, id: u32) -> Option<ARef<Fence>> {
        let jobs = self.jobs.lock();
        let (_, pending) = jobs.running.iter().find(|(running, _)| *running == id)?;

        Some(pending.fence().into())
    }

    /// Returns the deadline of a running job.
    pub(super) fn deadline(&self, id: u32) -> Option<Delta> {
        let jobs = self.jobs.lock();
        let (_, pending) = jobs.running.iter().find(|(running, _)| *running == id)?;

        pending.deadline()
    }

    /// Is done with a job, unless it is not running any more.
    pub(super) fn try_finish(&self, id: u32) {
        if let Some(pending) = self.take(id) {
            pending.signal(Ok(()));
        }
    }

    /// Is done with a job.
    pub(super) fn finish(&self, id: u32) {
        self.take(id).expect("is running").signal(Ok(()));
    }

    /// Fails to do a job.
    pub(super) fn fail(&self, id: u32, error: Error) {
        self.take(id).expect("is running").signal(Err(error));
    }
}

impl Job for MockJob {
    type Payload = Payload;
    type Data = Arc<Hw>;

    fn prepare(&self, _hw: &Arc<Hw>, _payload: &mut Payload) -> Option<ARef<Fence>> {
        let hurdles = self.hurdles.as_ref()?;

        hurdles.asked.fetch_add(1, Relaxed);
        hurdles.fences.lock().pop()
    }

    fn run(&self, hw: &Arc<Hw>, payload: Payload) -> Result<Option<ARef<Fence>>> {
        // Under one lock: a test that sees a job started may finish it.
        let mut jobs = hw.jobs.lock();

        jobs.started.push(self.id, GFP_NOWAIT)?;
        match payload {
            Payload::Long(fence) => {
                let (fence, pending) = fence.publish();

                jobs.running.push((self.id, pending), GFP_NOWAIT)?;
                Ok(Some(fence))
            }
            Payload::Nothing => Ok(None),
            Payload::Fail(error) => Err(error),
        }
    }

    fn is_hung(&self, hw: &Arc<Hw>) -> bool {
        hw.looks.fetch_add(1, Relaxed);
        self.hung
    }

    fn reset(&self, hw: &Arc<Hw>) {
        hw.resets.fetch_add(1, Relaxed);
        drop(hw.gate.lock());
        if let Some(pending) = hw.take(self.id) {
            pending.signal(Err(EIO));
        }
    }
}

/// A scheduler for the hardware.
pub(super) struct Fixture {
    pub(super) sched: Arc<Scheduler<MockJob>>,
    pub(super) hw: Arc<Hw>,
    jobs: Arc<Atomic<u32>>,
    parent: Arc<faux::Registration>,
}

impl Fixture {
    pub(super) fn new(credits: u32, timeout: Option<Jiffies>) -> Result<Self> {
        let parent = Arc::new(faux_device("rgt-kunit-sched")?, GFP_KERNEL)?;

        Self::of(parent, credits, timeout)
    }

    /// Creates a scheduler for another engine of the same device.
    pub(super) fn another(&self, credits: u32) -> Result<Self> {
        Self::of(self.parent.clone(), credits, None)
    }

    fn of(parent: Arc<faux::Registration>, credits: u32, timeout: Option<Jiffies>) -> Result<Self> {
        let dev: &faux::Device<device::Bound> = (*parent).as_ref();
        let started = KVec::with_capacity(JOBS, GFP_KERNEL)?;
        let running = KVec::with_capacity(JOBS, GFP_KERNEL)?;
        let hw = Arc::pin_init(
            pin_init!(Hw {
                jobs <- new_mutex!(Jobs { started, running }),
                looks: Atomic::new(0),
                resets: Atomic::new(0),
                gate <- new_mutex!(()),
            }),
            GFP_KERNEL,
        )?;

        // SAFETY: The tests drop it, or take a reference to the module.
        let guarantee = unsafe { DropGuarantee::new() };

        Ok(Self {
            sched: Scheduler::new(
                guarantee,
                c"rgt-kunit",
                dev.as_ref(),
                hw.clone(),
                credits,
                timeout,
            )?,
            hw,
            jobs: Arc::new(Atomic::new(0), GFP_KERNEL)?,
            parent,
        })
    }

    pub(super) fn entity(&self, priority: Priority) -> Result<Entity<MockJob>> {
        Entity::new(&self.sched, priority)
    }

    /// Returns how many jobs there are.
    pub(super) fn jobs(&self) -> u32 {
        self.jobs.load(Relaxed)
    }

    /// Returns the counter of that, which outlives the scheduler.
    pub(super) fn counter(&self) -> Arc<Atomic<u32>> {
        self.jobs.clone()
    }

    fn make<'a>(
        &self,
        entity: &'a Entity<MockJob>,
        id: u32,
        credits: u32,
        hung: bool,
        task: Task,
        (load, hurdles): (Option<KBox<dyn Load>>, Option<Arc<Hurdles>>),
    ) -> Result<UnarmedJob<'a, MockJob>> {
        let payload = match task {
            Task::Long => Payload::Long(unpublished()?),
            Task::Nothing => Payload::Nothing,
            Task::Fail(error) => Payload::Fail(error),
        };

        self.jobs.fetch_add(1, Relaxed);
        let job = MockJob {
            id,
            hung,
            hurdles,
            jobs: self.jobs.clone(),
            _load: load,
        };
        entity.job(credits, 0, job, payload)
    }

    /// Creates a job that costs one credit.
    pub(super) fn job<'a>(
        &self,
        entity: &'a Entity<MockJob>,
        id: u32,
        task: Task,
    ) -> Result<UnarmedJob<'a, MockJob>> {
        self.make(entity, id, 1, false, task, (None, None))
    }

    /// Creates a long job that costs `credits`.
    pub(super) fn job_of<'a>(
        &self,
        entity: &'a Entity<MockJob>,
        id: u32,
        credits: u32,
    ) -> Result<UnarmedJob<'a, MockJob>> {
        self.make(entity, id, credits, false, Task::Long, (None, None))
    }

    /// Creates a job that the hardware hangs on.
    pub(super) fn hanging_job<'a>(
        &self,
        entity: &'a Entity<MockJob>,
        id: u32,
    ) -> Result<UnarmedJob<'a, MockJob>> {
        self.make(entity, id, 1, true, Task::Long, (None, None))
    }

    /// Creates a job that owns a `load`.
    pub(super) fn loaded_job<'a>(
        &self,
        entity: &'a Entity<MockJob>,
        id: u32,
        load: impl Load + 'static,
    ) -> Result<UnarmedJob<'a, MockJob>> {
        let load: KBox<dyn Load> = KBox::new(load, GFP_KERNEL)?;

        self.make(entity, id, 1, false, Task::Long, (Some(load), None))
    }

    /// Creates a long job with hurdles.
    pub(super) fn prepared_job<'a>(
        &self,
        entity: &'a Entity<MockJob>,
        id: u32,
        hurdles: &Arc<Hurdles>,
    ) -> Result<UnarmedJob<'a, MockJob>> {
        self.make(
            entity,
            id,
            1,
            false,
            Task::Long,
            (None, Some(hurdles.clone())),
        )
    }

    /// Creates a job that must wait for a fence.
    pub(super) fn held_job<'a>(
        &self,
        entity: &'a Entity<MockJob>,
        id: u32,
        task: Task,
    ) -> Result<(UnarmedJob<'a, MockJob>, PendingFence)> {
        let (dependency, pending) = fence()?;
        let mut job = self.job(entity, id, task)?;

        job.add_dependency(dependency)?;
        Ok((job, pending))
    }

    /// Queues a long job.
    pub(super) fn submit(&self, entity: &Entity<MockJob>, id: u32) -> Result<ARef<Fence>> {
        Ok(self.job(entity, id, Task::Long)?.submit(|_| ()))
    }

    /// Waits until exactly these jobs were started; see [`Hw::started()`].
    pub(super) fn has_started(&self, ids: u32) -> bool {
        soon(|| self.hw.started() == ids)
    }
}

impl Deref for Fixture {
    type Target = Hw;

    fn deref(&self) -> &Hw {
        &self.hw
    }
}
