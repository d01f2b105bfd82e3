// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Fences in the memory of a process: words that are written when a fence has signalled.
//!
//! The callback of the fence only queues work. A worker takes on the process's address space and
//! writes, where faulting pages in may take any time.
//!
//! C headers: [`include/linux/dma-fence.h`](srctree/include/linux/dma-fence.h),
//! [`include/linux/kthread.h`](srctree/include/linux/kthread.h)

use core::ptr::NonNull;

use kernel::{
    container_of,
    current,
    impl_has_work,
    mm::Mm,
    new_work,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    types::Opaque,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
    workqueue::{
        Queue,
        Work,
        WorkItem, //
    }, //
};

use crate::rust::{
    bindings,
    dma_fence::Fence,
    module::ModuleRef, //
};

/// An unbound work queue, which owns the work queue of C.
///
/// # Invariants
///
/// The pointer is to a work queue that this owns.
struct OwnedQueue(NonNull<bindings::workqueue_struct>);

// SAFETY: Work queues are used and destroyed from any thread.
unsafe impl Send for OwnedQueue {}
// SAFETY: Work queues are used from any thread.
unsafe impl Sync for OwnedQueue {}

impl OwnedQueue {
    fn new(name: &CStr) -> Result<Self> {
        // SAFETY: The format takes the one string that follows it. The function copies it.
        let queue = unsafe {
            bindings::alloc_workqueue_noprof(
                c"%s".as_char_ptr(),
                bindings::wq_flags_WQ_UNBOUND,
                0,
                name.as_char_ptr(),
            )
        };
        // INVARIANT: The function returned a new work queue.
        NonNull::new(queue).map(Self).ok_or(ENOMEM)
    }
}

impl Drop for OwnedQueue {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this owns the work queue. Its work has a reference to it,
        // so nothing is queued but work that drops the last one.
        unsafe { bindings::rgt_destroy_workqueue(self.0.as_ptr()) };
    }
}

/// A work queue whose workers write user fences.
///
/// Dropping it waits for those whose fences have signalled.
pub struct UserFenceQueue {
    queue: Arc<OwnedQueue>,
    module: &'static ThisModule,
}

impl UserFenceQueue {
    /// Creates a work queue, for the driver of `module`.
    pub fn new(module: &'static ThisModule, name: &CStr) -> Result<Self> {
        Ok(Self {
            queue: Arc::new(OwnedQueue::new(name)?, GFP_KERNEL)?,
            module,
        })
    }
}

impl Drop for UserFenceQueue {
    fn drop(&mut self) {
        // SAFETY: By the type invariant of `OwnedQueue` the work queue is valid.
        unsafe { bindings::__flush_workqueue(self.queue.0.as_ptr()) };
    }
}

/// A word of the memory of the current process, to be written when a fence has signalled.
///
/// It does not keep the process's memory: nothing is written after the process's end.
#[pin_data]
pub struct UserFence {
    #[pin]
    work: Work<Self>,
    #[pin]
    callback: Opaque<bindings::dma_fence_cb>,
    mm: ARef<Mm>,
    /// A multiple of 8.
    address: usize,
    value: u64,
    queue: Arc<OwnedQueue>,
    _module: ModuleRef,
}

// SAFETY: What is not `Send` by itself is the callback, which one thread initialises, and the fence
// core has from then on.
unsafe impl Send for UserFence {}
// SAFETY: As above. Nothing else changes.
unsafe impl Sync for UserFence {}

impl_has_work! {
    impl HasWork<Self> for UserFence { self.work }
}

impl UserFence {
    /// Prepares a write of `value` to the word at `address` of the current process.
    ///
    /// [`EINVAL`] for an address that is not a multiple of 8, [`EFAULT`] for one where the process
    /// has no memory. [`ESRCH`] for a kernel thread.
    pub fn prepare(queue: &UserFenceQueue, address: u64, value: u64) -> Result<ArmableFence> {
        let address = usize::try_from(address).map_err(|_| EFAULT)?;
        if address % size_of::<u64>() != 0 {
            return Err(EINVAL);
        }
        UserSlice::new(UserPtr::from_addr(address), size_of::<u64>())
            .reader()
            .read::<u64>()?;

        let task = current!();
        let mm: &Mm = task.mm().ok_or(ESRCH)?;
        let mm = mm.into();
        let module = ModuleRef::try_get(queue.module)?;
        let queue = queue.queue.clone();
        Ok(ArmableFence(Arc::pin_init(
            pin_init!(Self {
                work <- new_work!("UserFence::work"),
                callback: Opaque::zeroed(),
                mm,
                address,
                value,
                queue,
                _module: module,
            }),
            GFP_KERNEL_ACCOUNT,
        )?))
    }

    /// Writes the word.
    ///
    /// # Safety
    ///
    /// The current task must be a kernel thread without an address space.
    unsafe fn write(&self) {
        // One that ends does not look.
        let Some(mm) = self.mm.mmget_not_zero() else {
            return;
        };

        // SAFETY: The address space has users as long as `mm` lives; by the safety requirements the
        // thread may take it on.
        unsafe { bindings::kthread_use_mm(mm.as_raw()) };
        let slice = UserSlice::new(UserPtr::from_addr(self.address), size_of::<u64>());
        // What the process has unmapped since it does not wait for.
        let _ = slice.writer().write(&self.value);
        // SAFETY: It was taken on above.
        unsafe { bindings::kthread_unuse_mm(mm.as_raw()) };
    }

    /// Queues the work, in the place of the callback.
    ///
    /// # Safety
    ///
    /// `this` must be from [`Arc::into_raw()`], and is used up.
    unsafe fn enqueue(this: *const Self) {
        // SAFETY: By the safety requirements. The work may drop the last reference to the work
        // queue while it is being queued: C frees it behind an RCU grace period, and queues in a
        // read-side critical section.
        let (this, queue) = unsafe {
            let this = Arc::from_raw(this);
            let queue = Queue::from_raw(this.queue.0.as_ptr());
            (this, queue)
        };

        // It is queued once.
        let _ = queue.enqueue(this);
    }

    /// Queues the work.
    ///
    /// # Safety
    ///
    /// Only for the fence core, as the callback of a [`UserFence`] from [`Arc::into_raw()`].
    unsafe extern "C" fn signalled(
        _: *mut bindings::dma_fence,
        callback: *mut kernel::bindings::dma_fence_cb,
    ) {
        let callback = callback.cast::<Opaque<bindings::dma_fence_cb>>();

        // SAFETY: By the safety requirements it is that field of a `UserFence`.
        unsafe { Self::enqueue(container_of!(callback, Self, callback)) };
    }
}

impl WorkItem for UserFence {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        // SAFETY: Workers are kernel threads, and have no address space between work items.
        unsafe { this.write() };
    }
}

/// A [`UserFence`] that waits for no fence yet. Dropping it writes nothing.
pub struct ArmableFence(Arc<UserFence>);

impl ArmableFence {
    /// Has the word written when `fence` has signalled, with an error or without. This neither
    /// allocates nor sleeps.
    pub fn arm(self, fence: &Fence) {
        let this = Arc::into_raw(self.0);

        // SAFETY: `fence` is valid. The callback is in memory that stays until the work has run, and
        // this is its only use.
        let ret = unsafe {
            bindings::dma_fence_add_callback(
                fence.as_raw(),
                Opaque::cast_into(&raw const (*this).callback),
                Some(UserFence::signalled),
            )
        };
        if ret != 0 {
            // It has signalled, and the fence core does not call.
            // SAFETY: `this` was made above, and nothing else has it.
            unsafe { UserFence::enqueue(this) };
        }
    }
}
