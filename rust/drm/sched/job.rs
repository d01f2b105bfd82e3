// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Jobs, and the callbacks of the scheduler.

use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    },
};

use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    types::Opaque, //
};

use super::{
    entity::Entity,
    scheduler::{
        Alive,
        Inner, //
    }, //
};
use crate::rust::{
    bindings,
    dma_fence::{
        Fence,
        SignallingSection, //
    },
    dma_resv::{
        LockedResv,
        Usage, //
    },
};

/// A job of a driver for its hardware.
///
/// The implementor is what running the job and watching it have in common, maybe at the same time.
/// See the [module](super) for what none of this may do.
pub trait Job: Send + Sync + Sized + 'static {
    /// The data that only running the job needs.
    type Payload: Send + 'static;

    /// The data that all jobs of a scheduler share.
    type Data: Send + Sync + 'static;

    /// Returns a fence that must signal before the job can run, besides its dependencies; [`None`]
    /// when it can run now.
    ///
    /// For what only becomes known, or free, when it is the job's turn, such as a slot of the
    /// hardware. Called when the dependencies are met, and again each time that the fence has
    /// signalled, until it returns [`None`]. Then [`Self::run()`] follows at once, in the same task.
    /// If the entity is killed meanwhile, neither is called again. So what this obtains belongs into
    /// `payload`, to be dropped with it.
    ///
    /// The fence is waited for until it has signalled, also if it is that of another job of the
    /// scheduler, see [`UnarmedJob::add_dependency()`]. It must not depend on this job: a fence that
    /// only a job of the same entity signals that has not run yet ends the job with [`EDEADLK`],
    /// with a warning. A fence that has signalled already has this called again at once.
    ///
    /// C: `drm_sched_backend_ops::prepare_job`.
    fn prepare(&self, _data: &Self::Data, _payload: &mut Self::Payload) -> Option<ARef<Fence>> {
        None
    }

    /// Gives the job to the hardware. Called once, unless the job's entity is killed before.
    ///
    /// Returns the fence that signals when the hardware is done, with an error if it failed, and
    /// that is sure to signal; [`None`] if the job is already done. An error ends the job with it.
    ///
    /// Of two jobs of one scheduler, the one that is run first must end first: a dependency between
    /// them is taken to be met when the first is with the hardware.
    fn run(&self, data: &Self::Data, payload: Self::Payload) -> Result<Option<ARef<Fence>>>;

    /// Returns whether the hardware will not get on by itself.
    ///
    /// Called when the job has been the oldest of the hardware for the length of the time-out,
    /// again and again as long as it returns `false`. The job may have ended by now, so that it is
    /// another that hangs, or not be quite with the hardware yet.
    fn is_hung(&self, data: &Self::Data) -> bool;

    /// Recovers from the hung job: signals its fence with an error, and makes the hardware go on
    /// with the others.
    ///
    /// Called after [`Self::is_hung`] has returned `true`, when nothing is running a job, and until
    /// this returns nothing will. It is this job that hangs unless it has ended by now. The others
    /// keep their fences: the driver itself has the hardware do again what it has lost.
    fn reset(&self, data: &Self::Data);
}

/// A job as it is in memory.
///
/// # Invariants
///
/// * `raw` is initialised by `drm_sched_job_init()`.
/// * `payload` and `hurdle` are only used by the calls of `prepare_job()` and the one of `run_job()`,
///   all of them on the queue that runs jobs, and `hw` is only set by the latter.
#[repr(C)]
struct RawJob<J: Job> {
    raw: Opaque<bindings::drm_sched_job>,
    payload: UnsafeCell<Option<J::Payload>>,
    /// The fence that the job has said to wait for, besides its dependencies.
    hurdle: UnsafeCell<Option<ARef<Fence>>>,
    /// The fence that signals when the hardware is done. The scheduler drops it when it stops.
    hw: UnsafeCell<Option<ARef<Fence>>>,
    job: J,
    /// Last, as the scheduler may go when all jobs have dropped theirs.
    alive: Option<Arc<Alive>>,
}

impl<J: Job> RawJob<J> {
    /// # Safety
    ///
    /// `raw` must be the `raw` of a valid [`RawJob`] of `J` that is not freed during `'a`.
    unsafe fn from_raw<'a>(raw: *mut bindings::drm_sched_job) -> &'a Self {
        // SAFETY: It is the first field. The caller keeps the job.
        unsafe { &*raw.cast() }
    }

    fn as_raw(&self) -> *mut bindings::drm_sched_job {
        self.raw.get()
    }

    /// Cleans up and frees a job.
    ///
    /// # Safety
    ///
    /// The caller must own the job, and nothing must use it after this.
    unsafe fn free(this: NonNull<Self>) {
        // SAFETY: The job is initialised by the type invariant, and owned by the caller.
        unsafe { bindings::drm_sched_job_cleanup((*this.as_ptr()).as_raw()) };

        // SAFETY: The memory is from a `KBox`, of which the caller gives up the ownership.
        drop(unsafe { KBox::from_raw(this.as_ptr()) });
    }
}

/// A job that is not in its queue yet, and may be dropped.
pub struct UnarmedJob<'a, J: Job> {
    entity: &'a Entity<J>,
    job: NonNull<RawJob<J>>,
    pipelined: bool,
}

// SAFETY: A job is not bound to a thread, nor is what it has.
unsafe impl<J: Job> Send for UnarmedJob<'_, J> {}

impl<'a, J: Job> UnarmedJob<'a, J> {
    #[inline]
    pub(super) fn new(
        entity: &'a Entity<J>,
        credits: u32,
        client_id: u64,
        job: J,
        payload: J::Payload,
    ) -> Result<Self> {
        let mut memory = KBox::<RawJob<J>>::new_uninit(GFP_KERNEL_ACCOUNT)?;
        let at = memory.as_mut_ptr();
        // Each where it stays, so that they are not put together elsewhere and copied.
        //
        // SAFETY: The memory is valid for writes.
        unsafe {
            (&raw mut (*at).payload).write(UnsafeCell::new(Some(payload)));
            (&raw mut (*at).hurdle).write(UnsafeCell::new(None));
            (&raw mut (*at).hw).write(UnsafeCell::new(None));
            (&raw mut (*at).job).write(job);
            (&raw mut (*at).alive).write(entity.scheduler().alive());
        }
        // SAFETY: All fields are written but `raw`, which may be uninitialised.
        let job = unsafe { memory.assume_init() };

        // SAFETY: The memory is valid and stays where it is, and the entity is valid. On failure
        // there is nothing to clean up.
        to_result(unsafe {
            bindings::drm_sched_job_init(
                job.as_raw(),
                entity.as_raw(),
                credits,
                ptr::null_mut(),
                client_id,
            )
        })?;

        // SAFETY: The job is initialised, and has no dependencies yet.
        unsafe { bindings::rgt_drm_sched_job_account(job.as_raw()) };

        Ok(Self {
            entity,
            job: NonNull::from(KBox::leak(job)),
            pipelined: true,
        })
    }

    fn as_raw(&self) -> *mut bindings::drm_sched_job {
        // SAFETY: The job is valid, and owned by this until it is queued.
        unsafe { self.job.as_ref() }.as_raw()
    }

    /// Adds a dependency: the job runs only after `fence` has signalled.
    ///
    /// If it is that of a job of the same scheduler, this is when that one was given to the
    /// hardware, which ends them in order, unless it is one with [`Self::dont_pipeline()`].
    ///
    /// Of the fences of a context it is the last that counts.
    pub fn add_dependency(&mut self, fence: ARef<Fence>) -> Result {
        // SAFETY: The job is not queued. C takes over the reference, also on failure.
        to_result(unsafe {
            bindings::drm_sched_job_add_dependency(
                self.as_raw(),
                ARef::into_raw(fence).as_ptr().cast(),
            )
        })
    }

    /// Has jobs of the same scheduler that depend on this one wait until it has ended, and not only
    /// until it was run: its outcome matters to them, or what the CPU does at its end.
    ///
    /// C: `DRM_SCHED_FENCE_DONT_PIPELINE`.
    pub fn dont_pipeline(&mut self) {
        self.pipelined = false;
    }

    /// Adds dependencies on all fences up to `usage` that are now in `resv` and have not signalled,
    /// but for those of the job's own entity, which runs its jobs in order.
    pub fn add_resv_dependencies(&mut self, resv: &LockedResv<'_>, usage: Usage) -> Result {
        // Not by `for_each_fence()`, which copes with changes of the list, and costs twice as much.
        let mut cursor = bindings::dma_resv_iter::default();

        // SAFETY: The reservation is valid and locked, so that its fences are those of the list until
        // one is added, which nothing does here.
        unsafe {
            bindings::rgt_dma_resv_iter_begin(
                &mut cursor,
                resv.as_raw(),
                usage as bindings::dma_resv_usage,
            );
            let mut fence = bindings::dma_resv_iter_first(&mut cursor);
            while !fence.is_null() {
                let known = Fence::from_raw(fence);
                if !self.entity.owns(known) && !known.is_signaled() {
                    self.add_dependency(known.into())?;
                }
                fence = bindings::dma_resv_iter_next(&mut cursor);
            }
        }
        Ok(())
    }

    /// Queues the job, and returns the fence that signals when it has ended, with its error.
    ///
    /// Before it can run, `publish` gets the fence, to put it where others look for it. The order
    /// in which the fences of an entity are published is that in which they signal. `publish` must
    /// not fail, allocate or submit to the same entity.
    pub fn submit(self, publish: impl FnOnce(&Fence)) -> ARef<Fence> {
        let this = ManuallyDrop::new(self);
        let raw = this.as_raw();
        let _order = this.entity.order().lock();
        // From arming to queueing it others wait for what is not on its way yet.
        let _section = SignallingSection::begin();

        // SAFETY: The job is initialised and not armed yet. It is queued below, under the same
        // lock.
        unsafe { bindings::drm_sched_job_arm(raw) };

        if !this.pipelined {
            // SAFETY: Arming has initialised the fence, which nothing else knows yet.
            unsafe { bindings::rgt_drm_sched_fence_dont_pipeline((*raw).s_fence) };
        }

        // SAFETY: Arming has initialised the fence, to which the job has a reference.
        let fence = ARef::from(unsafe { Fence::from_raw(&raw mut (*(*raw).s_fence).finished) });

        publish(&fence);

        // SAFETY: The job is armed. The queue takes it over; the entity is not killed as long as it
        // is borrowed.
        unsafe { bindings::drm_sched_entity_push_job(raw) };

        fence
    }
}

impl<J: Job> Drop for UnarmedJob<'_, J> {
    fn drop(&mut self) {
        // SAFETY: The job was not queued, so it is still owned.
        unsafe { RawJob::free(self.job) };
    }
}

/// Returns the fence to wait for until `fence` has signalled.
///
/// Of a job of the same scheduler, drm_sched would only wait until it is run, and of one of the same
/// entity not at all, and then ask again at once and for ever. That job's fence of the hardware is
/// waited for as any other. [`EDEADLK`] if that is a job of the entity that has not run.
///
/// # Safety
///
/// For the queue that runs the jobs of `sched`, which has `entity`.
unsafe fn hardware_fence(
    fence: &Fence,
    sched: *mut bindings::drm_gpu_scheduler,
    entity: *mut bindings::drm_sched_entity,
) -> Result<ARef<Fence>> {
    // SAFETY: The fence is valid.
    let job = unsafe { bindings::to_drm_sched_fence(fence.as_raw()) };

    // SAFETY: If it is not NULL, it is what `fence` is a part of. The scheduler does not change.
    if job.is_null() || unsafe { (*job).sched } != sched || fence.is_signaled() {
        return Ok(fence.into());
    }

    // SAFETY: As above. The parent is set on this queue, and taken away when that is stopped.
    match unsafe { (*job).parent.as_mut() } {
        // SAFETY: The job's fence has a reference to it.
        Some(parent) => Ok(unsafe { Fence::from_raw(parent) }.into()),
        // SAFETY: The entity is valid by the safety requirements, and its context does not change.
        None if fence
            .context()
            .wrapping_sub(unsafe { (*entity).fence_context })
            <= 1 =>
        {
            Err(EDEADLK)
        }
        // To be looked at again when it has run.
        None => Ok(fence.into()),
    }
}

/// The calls of the scheduler.
pub(super) struct Callbacks<J>(PhantomData<J>);

impl<J: Job> Callbacks<J> {
    pub(super) const OPS: bindings::drm_sched_backend_ops = bindings::drm_sched_backend_ops {
        prepare_job: Some(Self::prepare_job),
        run_job: Some(Self::run_job),
        timedout_job: Some(Self::timedout_job),
        free_job: Some(Self::free_job),
        cancel_job: Some(Self::cancel_job),
    };

    /// # Safety
    ///
    /// Only for the scheduler of a [`RawJob`] of `J`.
    unsafe extern "C" fn prepare_job(
        raw: *mut bindings::drm_sched_job,
        entity: *mut bindings::drm_sched_entity,
    ) -> *mut bindings::dma_fence {
        let _section = SignallingSection::begin();
        // SAFETY: The scheduler calls this with one of its jobs, which it frees only later.
        let this = unsafe { RawJob::<J>::from_raw(raw) };
        // SAFETY: As above; a job has its scheduler when it is armed.
        let sched = unsafe { Inner::<J>::from_raw((*raw).sched) };
        // SAFETY: By the type invariant nothing else uses them now.
        let (slot, hurdle) = unsafe { (&mut *this.payload.get(), &mut *this.hurdle.get()) };
        let Some(payload) = slot else {
            return ptr::null_mut();
        };
        let pending = hurdle.take().filter(|fence| !fence.is_signaled());
        let Some(fence) = pending.or_else(|| this.job.prepare(sched.data(), payload)) else {
            return ptr::null_mut();
        };

        // SAFETY: This is the queue that runs the scheduler's jobs, and the entity is valid.
        match unsafe { hardware_fence(&fence, sched.as_raw(), entity) } {
            Ok(hardware) => {
                *hurdle = Some(fence);
                ARef::into_raw(hardware).as_ptr().cast()
            }
            Err(_) => {
                pr_warn!("a job was to wait for one behind it\n");
                // `run_job()` ends the job.
                *slot = None;
                ptr::null_mut()
            }
        }
    }

    /// # Safety
    ///
    /// Only for the scheduler of a [`RawJob`] of `J`.
    unsafe extern "C" fn run_job(raw: *mut bindings::drm_sched_job) -> *mut bindings::dma_fence {
        let _section = SignallingSection::begin();
        // SAFETY: The scheduler calls this with one of its jobs, which it frees only later.
        let this = unsafe { RawJob::<J>::from_raw(raw) };
        // SAFETY: As above; a job has its scheduler when it is armed.
        let sched = unsafe { Inner::<J>::from_raw((*raw).sched) };
        // SAFETY: By the type invariant only this call uses it.
        let Some(payload) = (unsafe { (*this.payload.get()).take() }) else {
            return EDEADLK.to_ptr();
        };

        match this.job.run(sched.data(), payload) {
            Ok(Some(fence)) => {
                // SAFETY: Only this sets it, and it is read only when jobs cannot be running.
                unsafe { *this.hw.get() = Some(fence.clone()) };
                ARef::into_raw(fence).as_ptr().cast()
            }
            Ok(None) => ptr::null_mut(),
            Err(error) => error.to_ptr(),
        }
    }

    /// # Safety
    ///
    /// Only for the scheduler of a [`RawJob`] of `J`.
    unsafe extern "C" fn timedout_job(
        raw: *mut bindings::drm_sched_job,
    ) -> bindings::drm_gpu_sched_stat {
        let _section = SignallingSection::begin();
        // SAFETY: The scheduler calls this with one of its jobs. It has taken it off its list, so
        // that it is not freed before this returns, or before the scheduler is started again.
        let this = unsafe { RawJob::<J>::from_raw(raw) };
        // SAFETY: As above.
        let sched = unsafe { Inner::<J>::from_raw((*raw).sched) };

        if !this.job.is_hung(sched.data()) {
            return bindings::drm_gpu_sched_stat_DRM_GPU_SCHED_STAT_NO_HANG;
        }

        // Stopping cancels the work, but a job that ends meanwhile may be about to queue it again,
        // having looked before whether the scheduler is stopped. What follows walks the list of
        // jobs without a lock.
        sched.disable_work();

        // SAFETY: As what handles a time-out may do. Jobs that have ended are freed, this one
        // excepted.
        unsafe { bindings::drm_sched_stop(sched.as_raw(), raw) };

        this.job.reset(sched.data());

        // SAFETY: The scheduler is stopped, and all jobs on its list are of type `J`.
        unsafe { bindings::rgt_drm_sched_visit_pending_jobs(sched.as_raw(), Some(Self::reattach)) };

        // SAFETY: The scheduler is stopped.
        unsafe { bindings::drm_sched_start(sched.as_raw(), 0) };

        // From here on the job may be freed.
        sched.enable_work();

        bindings::drm_gpu_sched_stat_DRM_GPU_SCHED_STAT_RESET
    }

    /// Gives a job back the hardware's fence, which `drm_sched_stop()` has taken off it.
    ///
    /// Without it `drm_sched_start()` would end the job.
    ///
    /// # Safety
    ///
    /// `raw` must be a [`RawJob`] of `J` on the list of a stopped scheduler.
    unsafe extern "C" fn reattach(raw: *mut bindings::drm_sched_job) {
        // SAFETY: By the safety requirements.
        let this = unsafe { RawJob::<J>::from_raw(raw) };

        // SAFETY: No job is running, so it is not set.
        if let Some(fence) = unsafe { &*this.hw.get() } {
            // SAFETY: The job is armed, so it has a fence, and the scheduler, which is stopped,
            // does not change its parent.
            unsafe { (*(*raw).s_fence).parent = ARef::into_raw(fence.clone()).as_ptr().cast() };
        }
    }

    /// # Safety
    ///
    /// Only for the scheduler of a [`RawJob`] of `J`.
    unsafe extern "C" fn free_job(raw: *mut bindings::drm_sched_job) {
        let _section = SignallingSection::begin();

        // SAFETY: The scheduler calls this with one of its jobs.
        let work = unsafe { &raw mut (*raw).__bindgen_anon_1 }.cast::<bindings::work_struct>();
        // SAFETY: It may be called in any context.
        if unsafe { bindings::current_work() } == work {
            // SAFETY: The scheduler calls this as the last of what it does with the job.
            unsafe { bindings::rgt_drm_sched_job_requeue(raw, Some(Self::free_killed_job)) };
            return;
        }

        // SAFETY: The scheduler calls this once it has done with the job. It came from a `KBox`.
        unsafe { RawJob::free(NonNull::new_unchecked(raw.cast::<RawJob<J>>())) };
    }

    /// Frees a job of a killed entity on the scheduler's own queue, as all others are, so that
    /// [`Inner::is_current()`] knows about it.
    ///
    /// # Safety
    ///
    /// Only for the work of a [`RawJob`] of `J` that nothing else uses.
    unsafe extern "C" fn free_killed_job(work: *mut bindings::work_struct) {
        let _section = SignallingSection::begin();

        // SAFETY: By the safety requirements.
        let raw = unsafe { bindings::rgt_drm_sched_job_of_work(work) };
        // SAFETY: As above.
        let this = unsafe { RawJob::<J>::from_raw(raw) };
        // The scheduler waits for this, too.
        let _alive = this.alive.clone();
        // SAFETY: By the above the scheduler stays until this returns.
        let sched = unsafe { Inner::<J>::from_raw((*raw).sched) };

        sched.run_freeing(work, || {
            // SAFETY: By the safety requirements. It came from a `KBox`.
            unsafe { RawJob::free(NonNull::new_unchecked(raw.cast::<RawJob<J>>())) };
        });
    }

    /// Ends a job that the hardware has not finished when the scheduler goes.
    ///
    /// # Safety
    ///
    /// Only for the scheduler of a [`RawJob`] of `J`.
    unsafe extern "C" fn cancel_job(raw: *mut bindings::drm_sched_job) {
        let _section = SignallingSection::begin();

        // SAFETY: The scheduler calls this with an armed job, which is not freed before it returns.
        let (parent, cb, finished) = unsafe {
            let s_fence = (*raw).s_fence;

            (
                (*s_fence).parent,
                &raw mut (*raw).cb,
                &raw mut (*s_fence).finished,
            )
        };

        // The callback runs under the lock that this takes: if it is not there to be removed, it
        // has ended the job and let go of it.
        //
        // SAFETY: A job on the list that has a parent has had its callback added to it.
        if !parent.is_null() && unsafe { bindings::dma_fence_remove_callback(parent, cb) } {
            // SAFETY: Only the callback would have signalled the fence, and it is gone.
            unsafe {
                bindings::rgt_dma_fence_set_error(finished, ECANCELED.to_errno());
                bindings::dma_fence_signal(finished);
            };
        }
    }
}
