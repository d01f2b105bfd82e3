// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Fences in the memory of a process: words that are written when a fence has signalled.
//!
//! The callback of the fence only queues work. A worker takes on the process's address space and
//! writes. Faulting a page in may take any time: a word whose page is not there is left to another
//! worker, one for all such words of a process, so that a process whose pages do not come holds
//! up no other.
//!
//! C headers: [`include/linux/dma-fence.h`](srctree/include/linux/dma-fence.h),
//! [`include/linux/kthread.h`](srctree/include/linux/kthread.h),
//! [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use core::{
    mem,
    ptr::{
        self,
        NonNull, //
    }, //
};

use kernel::{
    container_of,
    current,
    impl_has_work,
    mm::{
        Mm,
        MmWithUser, //
    },
    new_mutex,
    new_work,
    prelude::*,
    rbtree::RBTree,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc,
        Mutex, //
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

/// The work queues of user fences.
#[pin_data]
struct Queues {
    /// Writes the words whose pages are there.
    prompt: OwnedQueue,
    /// Waits for the pages of the others.
    waiting: OwnedQueue,
    /// For each process that has a worker wait the words that are to be written behind it.
    #[pin]
    late: Mutex<RBTree<usize, KVVec<Arc<UserFence>>>>,
}

impl Queues {
    fn new(name: &CStr) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                prompt: OwnedQueue::new(name)?,
                waiting: OwnedQueue::new(name)?,
                late <- new_mutex!(RBTree::new(), "UserFence::late"),
            }),
            GFP_KERNEL,
        )
    }

    /// Leaves a word to the worker that waits for its process. Returns it if there is none: its own
    /// work is that now.
    fn leave(&self, word: Arc<UserFence>) -> Option<Arc<UserFence>> {
        let mut late = self.late.lock();

        let Some(words) = late.get_mut(&word.process()) else {
            // Without memory for the entry the next word waits beside this one.
            let _ = late.try_create_and_insert(word.process(), KVVec::new(), GFP_KERNEL);
            return Some(word);
        };
        if words.reserve(1, GFP_KERNEL).is_err() {
            return Some(word);
        }
        words.push_within_capacity(word).err().map(|err| err.0)
    }

    /// Returns the words that were left to the worker of a process; [`None`] if it has nothing more
    /// to do.
    fn left(&self, process: usize) -> Option<KVVec<Arc<UserFence>>> {
        let mut late = self.late.lock();
        let words = mem::take(late.get_mut(&process)?);

        if words.is_empty() {
            late.remove(&process);
            return None;
        }
        Some(words)
    }
}

/// The work queues whose workers write user fences.
///
/// Words may still be written when it is gone: each keeps the queues and the module.
pub struct UserFenceQueue {
    queues: Arc<Queues>,
    module: &'static ThisModule,
}

impl UserFenceQueue {
    /// Creates the work queues, for the driver of `module`.
    pub fn new(module: &'static ThisModule, name: &CStr) -> Result<Self> {
        Ok(Self {
            queues: Queues::new(name)?,
            module,
        })
    }
}

/// A word of the memory of the current process, to be written when a fence has signalled.
///
/// It does not keep the process's memory, except while a worker waits for a page of it: nothing is
/// written after the process's end.
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
    /// Set once its page was not there.
    waits: AtomicFlag,
    queues: Arc<Queues>,
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
        let task = current!();
        let mm: &Mm = task.mm().ok_or(ESRCH)?;
        UserSlice::new(UserPtr::from_addr(address), size_of::<u64>())
            .reader()
            .read::<u64>()?;
        // So that it is there at the end of the job, in most cases: what cannot be written is not.
        // SAFETY: The task has an address space. The function checks the address, and changes no
        // content.
        unsafe {
            bindings::fault_in_safe_writeable(ptr::without_provenance(address), size_of::<u64>())
        };

        let mm = mm.into();
        let module = ModuleRef::try_get(queue.module)?;
        let queues = queue.queues.clone();
        Ok(ArmableFence(Arc::pin_init(
            pin_init!(Self {
                work <- new_work!("UserFence::work"),
                callback: Opaque::zeroed(),
                mm,
                address,
                value,
                waits: AtomicFlag::new(false),
                queues,
                _module: module,
            }),
            GFP_KERNEL_ACCOUNT,
        )?))
    }

    /// Returns what tells processes apart that have words.
    fn process(&self) -> usize {
        ptr::from_ref(&*self.mm).addr()
    }

    /// Writes the word. Returns `false` if it has to be waited for, and `wait` is not set.
    ///
    /// # Safety
    ///
    /// The current task must be a kernel thread without an address space.
    unsafe fn write(&self, wait: bool) -> bool {
        // One that ends does not look.
        let Some(mm) = self.mm.mmget_not_zero() else {
            return true;
        };

        // SAFETY: The address space has users as long as `mm` lives; by the safety requirements the
        // thread may take it on.
        unsafe { bindings::kthread_use_mm(mm.as_raw()) };
        let done = if wait {
            let slice = UserSlice::new(UserPtr::from_addr(self.address), size_of::<u64>());
            // What the process has unmapped since it does not wait for.
            let _ = slice.writer().write(&self.value);
            true
        } else {
            // SAFETY: The value is there, and the function checks the address.
            let ret = unsafe {
                bindings::copy_to_user_nofault(
                    ptr::without_provenance_mut(self.address),
                    (&raw const self.value).cast(),
                    size_of::<u64>(),
                )
            };
            ret == 0
        };
        // SAFETY: It was taken on above.
        unsafe { bindings::kthread_unuse_mm(mm.as_raw()) };
        // What the end of an address space waits for is not waited for here.
        drop(MmWithUser::into_mmput_async(mm));
        done
    }

    /// Queues the work.
    fn enqueue(this: Arc<Self>) {
        let owned = match this.waits.load(Relaxed) {
            false => &this.queues.prompt,
            true => &this.queues.waiting,
        };
        // SAFETY: By its invariant. The work may drop the last reference to the work queue while it
        // is being queued: C frees it behind an RCU grace period, and queues in a read-side critical
        // section.
        let queue = unsafe { Queue::from_raw(owned.0.as_ptr()) };

        // It is not queued: each time is after the last one.
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

        // SAFETY: By the safety requirements it is that field of a `UserFence`, and nothing else has
        // the reference.
        Self::enqueue(unsafe { Arc::from_raw(container_of!(callback, Self, callback)) });
    }
}

impl WorkItem for UserFence {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let waits = this.waits.load(Relaxed);

        // SAFETY: Workers are kernel threads, and have no address space between work items.
        if !unsafe { this.write(waits) } {
            this.waits.store(true, Relaxed);
            if let Some(this) = this.queues.clone().leave(this) {
                Self::enqueue(this);
            }
            return;
        }
        if waits {
            while let Some(words) = this.queues.left(this.process()) {
                for word in &words {
                    // SAFETY: As above.
                    unsafe { word.write(true) };
                }
            }
        }
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
            UserFence::enqueue(unsafe { Arc::from_raw(this) });
        }
    }
}
