// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Schedulers, each of which feeds one engine.

use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr, //
};

use kernel::{
    device::Device,
    error::to_result,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu,
        Arc,
        Completion, //
    },
    time::Jiffies,
    types::Opaque, //
};

use super::job::{
    Callbacks,
    Job, //
};
use crate::rust::{
    bindings,
    dma_fence::{
        clamp_timeout,
        SignallingSection, //
    },
    module::DropGuarantee,
    workqueue::ReclaimQueue, //
};

/// Completes [`Self::gone`] when the scheduler and all of its jobs have let go of it.
pub(super) struct Alive {
    gone: Arc<Completion>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.gone.complete_all();
    }
}

/// A scheduler, and what C code uses of it.
///
/// # Invariants
///
/// `raw` is an initialised `struct drm_gpu_scheduler`. All of its jobs are of [`Job`] type `J`.
#[pin_data]
pub(super) struct Inner<J: Job> {
    #[pin]
    raw: Opaque<bindings::drm_gpu_scheduler>,
    data: J::Data,
    credit_limit: u32,
    /// [`None`] once the scheduler is being dropped.
    alive: Option<Arc<Alive>>,
    gone: Arc<Completion>,
    /// The address of the work that is freeing a killed job, or 0. The submit queue executes one
    /// at a time.
    freeing: Atomic<usize>,
    _dev: ARef<Device>,
    _timeout_queue: ReclaimQueue,
    _submit_queue: ReclaimQueue,
    _jobs: PhantomData<J>,
}

impl<J: Job> Inner<J> {
    pub(super) fn as_raw(&self) -> *mut bindings::drm_gpu_scheduler {
        self.raw.get()
    }

    pub(super) fn data(&self) -> &J::Data {
        &self.data
    }

    /// Returns the scheduler of a job.
    ///
    /// # Safety
    ///
    /// `raw` must be the scheduler of a [`Job`] of type `J` that has not been freed during `'a`.
    pub(super) unsafe fn from_raw<'a>(raw: *mut bindings::drm_gpu_scheduler) -> &'a Self {
        // SAFETY: Jobs of type `J` come from an `Entity<J>`, and so belong to an `Inner<J>`. It
        // waits for them before it goes.
        unsafe { &*kernel::container_of!(Opaque::cast_from(raw), Self, raw) }
    }

    /// Returns whether this is called, at some depth, by the scheduler itself.
    pub(super) fn is_current(&self) -> bool {
        let raw = self.as_raw();
        // SAFETY: It may be called in any context.
        let current = unsafe { bindings::current_work() };

        // SAFETY: By the type invariant `raw` is valid. Only addresses are taken.
        let own = unsafe {
            [
                &raw mut (*raw).work_run_job,
                &raw mut (*raw).work_free_job,
                &raw mut (*raw).work_tdr.work,
            ]
        };
        own.contains(&current)
            || (!current.is_null() && self.freeing.load(Relaxed) == current.addr())
    }

    /// Runs `free` in `work`, which the submit queue is executing.
    pub(super) fn run_freeing(&self, work: *mut bindings::work_struct, free: impl FnOnce()) {
        self.freeing.store(work.addr(), Relaxed);
        free();
        self.freeing.store(0, Relaxed);
    }

    /// Keeps the work item that runs jobs from being queued, and waits for it.
    ///
    /// `drm_sched_wqueue_stop()` only cancels it, and a job that ends without having seen the flag
    /// that it sets queues it again.
    pub(super) fn disable_run(&self) {
        // SAFETY: By the type invariant the scheduler is valid. Its work does not wait for what calls
        // this.
        unsafe { bindings::disable_work_sync(&raw mut (*self.as_raw()).work_run_job) };
    }

    /// Undoes [`Self::disable_run()`], and queues the work, unless others have disabled it.
    ///
    /// `drm_sched_wqueue_start()` would also say that the scheduler is not stopped any more, which is
    /// up to the reset that may have stopped it meanwhile.
    pub(super) fn enable_run(&self) {
        // SAFETY: By the type invariant the scheduler is valid.
        unsafe { self.enable(&raw mut (*self.as_raw()).work_run_job) };
    }

    /// Does what [`Self::disable_run()`] does, also with the work item that frees jobs.
    pub(super) fn disable_work(&self) {
        self.disable_run();
        // SAFETY: As there.
        unsafe { bindings::disable_work_sync(&raw mut (*self.as_raw()).work_free_job) };
    }

    /// Undoes [`Self::disable_work()`] as [`Self::enable_run()`] does.
    pub(super) fn enable_work(&self) {
        self.enable_run();
        // SAFETY: As there.
        unsafe { self.enable(&raw mut (*self.as_raw()).work_free_job) };
    }

    /// # Safety
    ///
    /// `work` must be one of the scheduler's work items.
    unsafe fn enable(&self, work: *mut bindings::work_struct) {
        // SAFETY: By the safety requirements, and by the type invariant the scheduler is valid, with
        // its queue.
        unsafe {
            bindings::enable_work(work);
            bindings::queue_work_on(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
                (*self.as_raw()).submit_wq,
                work,
            );
        }
    }
}

/// A scheduler of jobs of type `J`, with queues of their own for running and for time-outs.
///
/// # Dropping
///
/// The last reference goes when no [`Entity`](super::Entity) is left. Dropping it
///
/// - ends the fences of jobs that the hardware has not finished with [`ECANCELED`]. By then the
///   driver must have made sure that the device no longer works on them;
/// - waits for what jobs of entities that were killed still depend on, as those fences stay in
///   order.
///
/// So it must happen in process context, without locks that any job needs, and not in a call by
/// the scheduler itself.
///
/// # Examples
///
/// ```
/// # use kernel::{device, faux, prelude::*, sync::aref::ARef, time::{msecs_to_jiffies, Jiffies}};
/// # use crate::rust::{
/// #     dma_fence::Fence,
/// #     drm::sched::{Entity, Job, Priority, Scheduler},
/// #     module::DropGuarantee,
/// # };
/// # use crate::tests::fake::faux_device;
/// /// A job of an engine that is done as soon as it is told.
/// struct Nop;
///
/// impl Job for Nop {
///     type Payload = ();
///     type Data = ();
///
///     fn run(&self, _engine: &(), (): ()) -> Result<Option<ARef<Fence>>> {
///         Ok(None)
///     }
///     fn is_hung(&self, _engine: &()) -> bool {
///         false
///     }
///     fn reset(&self, _engine: &()) {}
/// }
///
/// # let parent = faux_device("rgt-doctest")?;
/// # let dev: &faux::Device<device::Bound> = parent.as_ref();
/// # let dev: &device::Device<device::Bound> = dev.as_ref();
/// // SAFETY: The scheduler is dropped at the end of this function.
/// let guarantee = unsafe { DropGuarantee::new() };
/// let timeout = Some(msecs_to_jiffies(10_000));
/// let sched = Scheduler::new(guarantee, c"mydriver", dev, (), 16, timeout)?;
/// let entity = Entity::new(&sched, Priority::Normal)?;
///
/// let first = entity.job(1, 0, Nop, ())?.submit(|_| ());
/// let mut job = entity.job(1, 0, Nop, ())?;
/// job.add_dependency(first)?;
/// job.submit(|_| ()).wait(false, Jiffies::MAX)?;
/// # Ok::<(), Error>(())
/// ```
pub struct Scheduler<J: Job> {
    inner: ManuallyDrop<Pin<KBox<Inner<J>>>>,
}

// SAFETY: Everything in it may be dropped in any thread: `J::Data` is `Send` and so are jobs and
// their work. The C side has its own locks.
unsafe impl<J: Job> Send for Scheduler<J> {}

// SAFETY: `J::Data` is `Sync`, and so are jobs, whose work only one thread gets. The C side has
// its own locks.
unsafe impl<J: Job> Sync for Scheduler<J> {}

impl<J: Job> Scheduler<J> {
    /// Creates a scheduler for an engine of `dev`.
    ///
    /// The [`DropGuarantee`] is for the scheduler, which all of its entities keep, and so for them.
    ///
    /// `credit_limit` is how much work the hardware may have at a time, in the units that
    /// [`Entity::job()`](super::Entity::job) is told. A job that the hardware does not finish in
    /// `timeout` is looked at; [`None`] trusts it.
    pub(crate) fn new(
        _: DropGuarantee,
        name: &'static CStr,
        dev: &Device,
        data: J::Data,
        credit_limit: u32,
        timeout: Option<Jiffies>,
    ) -> Result<Arc<Self>> {
        let submit_queue = ReclaimQueue::new_ordered(name)?;
        let timeout_queue = ReclaimQueue::new_ordered(name)?;
        let gone = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let alive = Arc::new(Alive { gone: gone.clone() }, GFP_KERNEL)?;

        {
            // Fences wait for what runs on this queue as if they flushed it: tell lockdep. It knows
            // about the other from the section that handling a time-out is, which may not be
            // extended to all of it: `drm_sched_stop()` waits for fences that are signalled.
            let _section = SignallingSection::begin();

            submit_queue.flush();
        }

        let args = bindings::drm_sched_init_args {
            ops: const { &Callbacks::<J>::OPS },
            submit_wq: submit_queue.as_raw(),
            timeout_wq: timeout_queue.as_raw(),
            num_rqs: bindings::drm_sched_priority_DRM_SCHED_PRIORITY_COUNT as u32,
            credit_limit,
            hang_limit: 0,
            timeout: timeout.map_or(c_long::MAX, clamp_timeout),
            score: ptr::null_mut(),
            name: name.as_char_ptr(),
            // CAST: `Device` is transparent over `device`.
            dev: ptr::from_ref(dev).cast_mut().cast(),
        };

        // INVARIANT: `raw` is initialised last, and `Entity<J>` is the only source of jobs.
        let inner = KBox::try_pin_init(
            try_pin_init!(Inner {
                data,
                credit_limit,
                alive: Some(alive),
                gone,
                freeing: Atomic::new(0),
                _dev: dev.into(),
                _timeout_queue: timeout_queue,
                _submit_queue: submit_queue,
                _jobs: PhantomData,
                raw <- Opaque::try_ffi_init(|raw: *mut bindings::drm_gpu_scheduler| {
                    // SAFETY: The memory is ours; all zeroes are valid, and what C asks for.
                    unsafe { raw.write_bytes(0, 1) };
                    // SAFETY: It will not move. Queues and device live as long as it, the rest of
                    // what is pointed to for ever.
                    to_result(unsafe { bindings::drm_sched_init(raw, &args) })
                }),
            }? Error),
            GFP_KERNEL,
        )?;

        Ok(Arc::new(
            Self {
                inner: ManuallyDrop::new(inner),
            },
            GFP_KERNEL,
        )?)
    }

    /// Returns the data that all jobs share.
    pub fn data(&self) -> &J::Data {
        self.inner.data()
    }

    /// Checks the oldest job of the hardware now, as if it had timed out.
    ///
    /// For a driver that learns of a fault. May be called in any context.
    ///
    /// C: `drm_sched_fault()`.
    pub fn fault(&self) {
        // SAFETY: By the type invariant of `Inner` the scheduler is valid.
        unsafe { bindings::drm_sched_fault(self.as_raw()) };
    }

    /// Returns how many credits the hardware may have at a time.
    pub fn credit_limit(&self) -> u32 {
        self.inner.credit_limit
    }

    /// Returns how many credits the jobs have that the hardware has now.
    pub fn credits_in_use(&self) -> u32 {
        // SAFETY: By the type invariant of `Inner` the scheduler is valid, and this is an
        // `atomic_t` that C accesses atomically as well.
        let count =
            unsafe { Atomic::<i32>::from_ptr(&raw mut (*self.as_raw()).credit_count.counter) };

        // CAST: It is never negative.
        count.load(Relaxed) as u32
    }

    /// Returns the raw C scheduler.
    pub fn as_raw(&self) -> *mut bindings::drm_gpu_scheduler {
        self.inner.as_raw()
    }

    pub(super) fn inner(&self) -> &Inner<J> {
        &self.inner
    }

    pub(super) fn is_current(&self) -> bool {
        self.inner.is_current()
    }

    /// Returns what keeps the scheduler from going until it is dropped.
    pub(super) fn alive(&self) -> Option<Arc<Alive>> {
        self.inner.alive.clone()
    }
}

impl<J: Job> Drop for Scheduler<J> {
    fn drop(&mut self) {
        if kernel::warn_on!(self.is_current()) {
            // Waiting for itself would take for ever. The code that C goes on calling must stay.
            //
            // SAFETY: It may always be called.
            unsafe { bindings::rgt_module_pin() };
            return;
        }

        // SAFETY: The scheduler is dropped once, and `inner` is not used after this.
        let mut inner = unsafe { ManuallyDrop::take(&mut self.inner) };
        let raw = inner.as_raw();

        // An entity that is gone may still have been waking the scheduler up, from a callback of a
        // fence that its next job depended on.
        rcu::synchronize_rcu();

        // SAFETY: The scheduler is valid by the type invariant. The work is disabled first, as
        // otherwise a time-out could start what `drm_sched_fini()` has stopped.
        unsafe { bindings::disable_delayed_work_sync(&raw mut (*raw).work_tdr) };

        // Nor may a job that ends meanwhile queue what `drm_sched_fini()` has cancelled.
        inner.disable_work();

        // SAFETY: As above. There are no more entities, as they have references to `self`, and so
        // no new jobs.
        unsafe { bindings::drm_sched_fini(raw) };

        // The jobs that are left are of killed entities. They use the scheduler when they end.
        {
            // SAFETY: The pin is kept up: nothing is moved that C knows of.
            let inner = unsafe { inner.as_mut().get_unchecked_mut() };

            inner.alive = None;
        }
        inner.gone.wait_for_completion();

        // Fences that were seen pending may still be asked for the scheduler's name.
        rcu::synchronize_rcu();
    }
}
