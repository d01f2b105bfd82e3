// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Work queues of one's own, and delayed work that can be stopped.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::{
    ops::Deref,
    ptr::NonNull, //
};

use kernel::{
    bindings,
    container_of,
    prelude::*,
    sync::Arc,
    workqueue::{
        HasDelayedWork,
        Queue,
        Work,
        WorkItem, //
    }, //
};

/// An unbound work queue that makes progress when no memory can be allocated.
///
/// Dropping it waits for the work that is queued on it.
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
    /// Makes a work queue named `name`.
    pub(crate) fn new(name: &CStr) -> Result<Self> {
        Self::alloc(name, 0, 0)
    }

    /// Makes a work queue named `name` that does one piece of work at a time, in order.
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
}

impl Deref for ReclaimQueue {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        // SAFETY: By the type invariant the work queue is valid as long as `self` is.
        unsafe { Queue::from_raw(self.0.as_ptr()) }
    }
}

impl Drop for ReclaimQueue {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this owns the work queue. Nothing is queued on it any more
        // once nothing refers to it.
        unsafe { bindings::destroy_workqueue(self.0.as_ptr()) };
    }
}

/// Takes delayed work off its queue, waits for it if it runs, and keeps it from being queued again.
///
/// Must not be called from the work itself.
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
    if unsafe { bindings::disable_delayed_work_sync(dwork) } {
        // SAFETY: The work was queued and will not run. Queueing it took over a reference, by
        // `Arc::into_raw()`, that its run would have taken back.
        drop(unsafe { Arc::from_raw(ptr.cast_const()) });
    }
}
