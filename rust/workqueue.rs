// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Work queues that a driver owns, and delayed work that can be stopped.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::ptr::NonNull;

use kernel::{
    alloc::AllocError,
    container_of,
    prelude::*,
    sync::Arc,
    time::Jiffies,
    workqueue::{
        HasDelayedWork,
        Queue,
        RawWorkItem,
        Work,
        WorkItem, //
    }, //
};

use crate::rust::bindings;

/// An unbound work queue that makes progress when no memory can be allocated.
///
/// Dropping it waits for the work that is queued on it. Where a worker drops it, which may be one
/// of its own, a thread does the waiting. Either may sleep and allocate, so it must not be done
/// where fences signal.
///
/// It is not a [`Queue`] to others: `destroy_workqueue()` does not wait for delayed work whose
/// timer runs, which would be put on a work queue that is gone. [`DelayedReclaimWork`] keeps its
/// own.
///
/// # Invariants
///
/// The pointer is to a work queue that this owns.
pub(crate) struct ReclaimQueue(NonNull<bindings::workqueue_struct>);

// SAFETY: Work queues are used and destroyed from any thread.
unsafe impl Send for ReclaimQueue {}

// SAFETY: Work queues are used from any thread.
unsafe impl Sync for ReclaimQueue {}

impl ReclaimQueue {
    /// Creates a work queue named `name`.
    pub(crate) fn new(name: &CStr) -> Result<Self> {
        Self::alloc(name, 0, 0)
    }

    /// Creates a work queue named `name` that executes one work item at a time, in order.
    pub(crate) fn new_ordered(name: &CStr) -> Result<Self> {
        Self::alloc(name, bindings::wq_flags___WQ_ORDERED, 1)
    }

    fn alloc(name: &CStr, flags: u32, max_active: c_int) -> Result<Self> {
        // SAFETY: The format takes the one string that follows it. The function copies it.
        let queue = unsafe {
            bindings::alloc_workqueue_noprof(
                c"%s".as_char_ptr(),
                bindings::wq_flags_WQ_UNBOUND | bindings::wq_flags_WQ_MEM_RECLAIM | flags,
                max_active,
                name.as_char_ptr(),
            )
        };
        // INVARIANT: The function returned a new work queue.
        NonNull::new(queue).map(Self).ok_or(ENOMEM)
    }

    /// Returns the raw C work queue.
    pub(crate) fn as_raw(&self) -> *mut bindings::workqueue_struct {
        self.0.as_ptr()
    }

    /// Waits for the work that is queued now.
    pub(crate) fn flush(&self) {
        // SAFETY: By the type invariant the work queue is valid.
        unsafe { bindings::__flush_workqueue(self.as_raw()) };
    }

    /// Queues a work item.
    pub(crate) fn enqueue<W, const ID: u64>(&self, work: W) -> W::EnqueueOutput
    where
        W: RawWorkItem<ID> + Send + 'static,
    {
        self.as_queue().enqueue(work)
    }

    /// Executes `func` as a work item of its own.
    ///
    /// Fails without memory for that.
    pub(crate) fn try_spawn(
        &self,
        flags: kernel::alloc::Flags,
        func: impl FnOnce() + Send + 'static,
    ) -> Result<(), AllocError> {
        self.as_queue().try_spawn(flags, func)
    }

    fn as_queue(&self) -> &Queue {
        // SAFETY: By the type invariant the work queue is valid as long as `self` is.
        unsafe { Queue::from_raw(self.as_raw()) }
    }
}

impl Drop for ReclaimQueue {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this owns the work queue, so nothing more is queued on it
        // but by its own work. No timer will queue on it either: delayed work with a timer that
        // runs would keep `self`.
        unsafe { bindings::rgt_destroy_workqueue(self.as_raw()) };
    }
}

/// Delayed work whose object keeps the work queue that it is queued on.
pub(crate) trait DelayedReclaimWork<const ID: u64 = 0>:
    HasDelayedWork<Self, ID> + WorkItem<ID, Pointer = Arc<Self>> + Send + Sync + Sized + 'static
{
    /// Returns the work queue.
    fn queue(&self) -> &ReclaimQueue;

    /// Queues the work when `delay` is over, unless it is pending already or was disabled.
    fn enqueue_delayed(self: Arc<Self>, delay: Jiffies) {
        let this = self.clone();

        // Pending work has a reference to the object until it runs, so the timer has the work
        // queue.
        let _ = this
            .queue()
            .as_queue()
            .enqueue_delayed::<Arc<Self>, ID>(self, delay);
    }
}

/// Takes delayed work off its queue, waits for it if it runs, and keeps it from being queued again.
///
/// Called by the work itself, it does not wait.
pub(crate) fn disable_delayed_work_sync<T, const ID: u64>(this: &Arc<T>)
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    let ptr = Arc::as_ptr(this).cast_mut();

    // SAFETY: `ptr` is valid, as `this` is.
    let work = unsafe { Work::raw_get(T::raw_get_work(ptr)) };

    // SAFETY: By the safety requirements of `HasDelayedWork`, `work` is in a `delayed_work`.
    let dwork = unsafe { container_of!(work, bindings::delayed_work, work) };

    // SAFETY: `dwork` was initialised when the `Arc` was made.
    let was_pending = unsafe {
        if bindings::current_work() == work {
            bindings::disable_delayed_work(dwork)
        } else {
            bindings::disable_delayed_work_sync(dwork)
        }
    };
    if was_pending {
        // SAFETY: The work was queued and will not run. Queueing it took over a reference, by
        // `Arc::into_raw()`, that its run would have taken back.
        drop(unsafe { Arc::from_raw(ptr.cast_const()) });
    }
}
