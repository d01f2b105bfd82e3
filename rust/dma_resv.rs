// SPDX-License-Identifier: GPL-2.0 OR MIT

//! DMA reservation objects.
//!
//! A [`Resv`] is the lock of a buffer, or of buffers that share it, and holds the fences of the
//! operations that use them. [`LockedResv`] proves that the lock is held: all that needs it takes
//! one.
//!
//! Adding a fence happens when it is too late to fail. So room for it is made first, with
//! [`LockedResv::reserve_fences`], and only a [`FenceSlot`] that it returns can add one.
//!
//! C header: [`include/linux/dma-resv.h`](srctree/include/linux/dma-resv.h)

use core::{
    array,
    cell::Cell,
    marker::PhantomData,
    ops::Deref,
    ptr, //
};

use kernel::{
    error::to_result,
    prelude::*,
    time::Jiffies,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

use crate::rust::{
    bindings,
    dma_fence::{
        clamp_timeout,
        wait_result,
        Fence, //
    },
};

/// The use that the operation behind a fence makes of the buffer.
///
/// They are ordered: the fences up to a usage are those of it and of the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Usage {
    /// The kernel moves or clears the memory. Every other use has to wait for it.
    Kernel = bindings::dma_resv_usage_DMA_RESV_USAGE_KERNEL,
    /// An implicitly synchronised write.
    Write = bindings::dma_resv_usage_DMA_RESV_USAGE_WRITE,
    /// An implicitly synchronised read.
    Read = bindings::dma_resv_usage_DMA_RESV_USAGE_READ,
    /// A use without implicit synchronisation, which only keeps the memory from being freed or
    /// moved.
    Bookkeep = bindings::dma_resv_usage_DMA_RESV_USAGE_BOOKKEEP,
}

impl Usage {
    fn as_raw(self) -> bindings::dma_resv_usage {
        self as bindings::dma_resv_usage
    }
}

/// A reservation object.
///
/// # Invariants
///
/// `self.0` is an initialised `struct dma_resv`.
#[repr(transparent)]
pub struct Resv(Opaque<bindings::dma_resv>);

// SAFETY: A `struct dma_resv` is not bound to a thread.
unsafe impl Send for Resv {}

// SAFETY: What needs the lock asks for proof of it; the rest synchronises through RCU.
unsafe impl Sync for Resv {}

impl Resv {
    /// Returns the raw C reservation object.
    pub fn as_raw(&self) -> *mut bindings::dma_resv {
        self.0.get()
    }

    /// Creates a reference from a raw C reservation object.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a `struct dma_resv` that is initialised and stays so during `'a`.
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::dma_resv) -> &'a Self {
        // SAFETY: The caller keeps the object valid. `Resv` is a transparent wrapper.
        unsafe { &*ptr.cast() }
    }

    /// Waits until all fences up to `usage` have signalled.
    ///
    /// Returns [`ETIME`] if that takes longer than `timeout` and, if `intr` is set,
    /// [`ERESTARTSYS`] when the task gets a signal.
    pub fn wait(&self, usage: Usage, intr: bool, timeout: Jiffies) -> Result {
        // CAST: The clamped time-out is not negative.
        let timeout = clamp_timeout(timeout) as c_ulong;

        // SAFETY: By the type invariant the object is valid.
        wait_result(unsafe {
            bindings::dma_resv_wait_timeout(self.as_raw(), usage.as_raw(), intr, timeout)
        })
    }

    /// Returns whether all fences up to `usage` have signalled.
    pub fn test_signaled(&self, usage: Usage) -> bool {
        // SAFETY: By the type invariant the object is valid.
        unsafe { bindings::dma_resv_test_signaled(self.as_raw(), usage.as_raw()) }
    }

    /// Takes the lock.
    ///
    /// A task can hold several reservation locks only if it takes them as one group, see
    /// [`Exec`](crate::rust::drm::exec::Exec).
    pub fn lock(&self) -> Result<ResvGuard<'_>> {
        // SAFETY: By the type invariant the object is valid. The lock may be taken without a
        // context.
        to_result(unsafe { bindings::dma_resv_lock(self.as_raw(), ptr::null_mut()) })?;

        // SAFETY: This task has just taken the lock.
        Ok(unsafe { ResvGuard::new(self) })
    }

    /// Takes the lock as [`Self::lock`] does, or returns [`EINTR`] when the task gets a signal.
    pub fn lock_interruptible(&self) -> Result<ResvGuard<'_>> {
        // SAFETY: By the type invariant the object is valid.
        to_result(unsafe { bindings::rgt_dma_resv_lock_interruptible(self.as_raw()) })?;

        // SAFETY: This task has just taken the lock.
        Ok(unsafe { ResvGuard::new(self) })
    }

    /// Takes the lock if it is free.
    ///
    /// Unlike [`Self::lock`] this may be done while other reservation locks are held.
    pub fn try_lock(&self) -> Option<ResvGuard<'_>> {
        // SAFETY: By the type invariant the object is valid.
        if !unsafe { bindings::rgt_dma_resv_trylock(self.as_raw()) } {
            return None;
        }

        // SAFETY: This task has just taken the lock.
        Some(unsafe { ResvGuard::new(self) })
    }
}

/// Proof that the current task holds the lock of a [`Resv`].
///
/// An operation of C code that adds fences by itself, such as moving a buffer, may use up the room
/// that each [`FenceSlot`] promises. Its abstraction must ask for something that cannot be had as
/// long as there is a [`FenceSlot`]: a [`LockedResv`] by value or by mutable reference, or a mutable
/// reference to what owns it.
///
/// # Invariants
///
/// - The current task holds the lock of `resv` for `'a`.
/// - For `'a` there is no other [`LockedResv`] of `resv`.
/// - `resv` has room for `promised` more fences.
pub struct LockedResv<'a> {
    resv: &'a Resv,
    promised: Cell<u32>,
    _not_send: NotThreadSafe,
}

impl<'a> LockedResv<'a> {
    const MAX_ROOM: u32 = u16::MAX as u32;

    /// Creates the proof.
    ///
    /// # Safety
    ///
    /// - The current task must hold the lock of `resv` for `'a`.
    /// - There must be no other [`LockedResv`] of `resv` in that time.
    pub unsafe fn new(resv: &'a Resv) -> Self {
        // INVARIANT: By the safety requirements. No fence is promised yet.
        Self {
            resv,
            promised: Cell::new(0),
            _not_send: PhantomData,
        }
    }

    /// Reserves room for `N` fences, each of which takes one slot.
    ///
    /// The room is lost when the lock is released, so the slots cannot outlive it. It is in
    /// addition to the room of other slots of the same reservation.
    pub fn reserve_fences<const N: usize>(&self) -> Result<[FenceSlot<'_>; N]> {
        const { assert!(N <= Self::MAX_ROOM as usize) };
        let room = self.make_room(N as u32)?;

        // INVARIANT: There is room for the new fences and all that were promised before. The slots
        // are counted.
        self.promised.set(room);
        Ok(array::from_fn(|_| FenceSlot { locked: self }))
    }

    /// Adds a fence.
    ///
    /// # Safety
    ///
    /// There must be room for it that is promised to nothing else.
    pub(in crate::rust) unsafe fn add_fence(&self, fence: &Fence, usage: Usage) {
        // SAFETY: By the type invariant the lock is held, by the safety requirements there is room for
        // the fence, which is valid by the type invariant of `Fence`. The reservation takes its own
        // reference.
        unsafe { bindings::dma_resv_add_fence(self.as_raw(), fence.as_raw(), usage.as_raw()) };
    }

    /// Reserves room for `n` fences in addition to the promised ones, and returns the sum. It is a
    /// preparation only: nothing keeps the room.
    pub(in crate::rust) fn make_room(&self, n: u32) -> Result<u32> {
        let room = self.promised.get().checked_add(n).ok_or(ENOMEM)?;

        // C's sums are not checked for overflow.
        if room > Self::MAX_ROOM {
            return Err(ENOMEM);
        }

        // C takes a request for nothing as a sign of a mistake.
        if n > 0 {
            // SAFETY: By the type invariant the lock is held.
            to_result(unsafe { bindings::dma_resv_reserve_fences(self.as_raw(), room) })?;
        }
        Ok(room)
    }

    /// Calls `f` for each fence up to `usage` that has not signalled.
    ///
    /// Ends early if `f` returns an error, and returns that. A fence that `f` itself adds may be
    /// missed, and after it makes room for fences it may see some again.
    pub fn for_each_fence(&self, usage: Usage, mut f: impl FnMut(&Fence) -> Result) -> Result {
        let mut iter = FenceIter::new(self.resv, usage);

        while let Some(fence) = iter.next() {
            f(fence)?;
        }
        Ok(())
    }

    /// Returns whether anybody uses what the reservation is of: a fence has not signalled that is not
    /// one of [`Usage::Kernel`].
    pub fn has_users(&self) -> bool {
        let mut iter = FenceIter::new(self.resv, Usage::Bookkeep);

        while iter.next().is_some() {
            if iter.cursor.fence_usage != Usage::Kernel.as_raw() {
                return true;
            }
        }
        false
    }
}

impl Deref for LockedResv<'_> {
    type Target = Resv;

    fn deref(&self) -> &Resv {
        self.resv
    }
}

/// Room for one fence in a locked [`Resv`].
///
/// # Examples
///
/// ```
/// # use kernel::prelude::*;
/// # use crate::rust::dma_resv::Usage;
/// # use crate::tests::rust::{dma_fence::fence, dma_resv::OwnResv};
/// # let resv = OwnResv::new()?;
/// # let (fence, pending) = fence()?;
/// let guard = resv.lock()?;
/// let [slot] = guard.reserve_fences()?;
///
/// // Nothing can fail from here on: the work goes to the hardware.
/// slot.add(&fence, Usage::Write);
/// drop(guard);
///
/// // A reader waits for it, the memory management does not.
/// assert!(!resv.test_signaled(Usage::Read));
/// assert!(resv.test_signaled(Usage::Kernel));
/// pending.signal(Ok(()));
/// assert!(resv.test_signaled(Usage::Read));
/// # Ok::<(), Error>(())
/// ```
///
/// It takes one fence:
///
/// ```compile_fail,E0382
/// # use crate::rust::{dma_fence::Fence, dma_resv::{FenceSlot, Usage}};
/// fn add_two(slot: FenceSlot<'_>, fence: &Fence) {
///     slot.add(fence, Usage::Read);
///     slot.add(fence, Usage::Read);
/// }
/// ```
///
/// And only as long as the lock is held:
///
/// ```compile_fail,E0505
/// # use kernel::prelude::*;
/// # use crate::rust::{dma_fence::Fence, dma_resv::{ResvGuard, Usage}};
/// fn add_late(guard: ResvGuard<'_>, fence: &Fence) -> Result {
///     let [slot] = guard.reserve_fences()?;
///     drop(guard);
///     slot.add(fence, Usage::Read);
///     Ok(())
/// }
/// ```
///
/// # Invariants
///
/// It is one of those that `locked.promised` counts.
#[must_use = "the room is given up when this is dropped"]
pub struct FenceSlot<'a> {
    locked: &'a LockedResv<'a>,
}

impl FenceSlot<'_> {
    /// Adds a fence.
    ///
    /// This neither allocates nor sleeps nor fails.
    pub fn add(self, fence: &Fence, usage: Usage) {
        // SAFETY: By the type invariant there is room that is promised to this, which takes it once.
        unsafe { self.locked.add_fence(fence, usage) };
    }
}

impl Drop for FenceSlot<'_> {
    fn drop(&mut self) {
        // INVARIANT: It was counted, and is no more.
        self.locked.promised.set(self.locked.promised.get() - 1);
    }
}

/// The lock of a [`Resv`], released on drop.
#[must_use = "the lock is released when the guard is dropped"]
pub struct ResvGuard<'a> {
    locked: LockedResv<'a>,
}

impl<'a> ResvGuard<'a> {
    /// # Safety
    ///
    /// The current task must hold the lock of `resv`, on behalf of the guard.
    unsafe fn new(resv: &'a Resv) -> Self {
        Self {
            // SAFETY: The guard owns the lock, and so has the only proof of it until it is
            // dropped. It never gives the proof away, only references to it.
            locked: unsafe { LockedResv::new(resv) },
        }
    }

    /// Returns a proof for what asks for one by value or by mutable reference.
    // Not the guard's own: swapping those of two guards would release the wrong locks.
    pub fn locked_resv(&mut self) -> LockedResv<'_> {
        // SAFETY: The lock is held, and while `self` is borrowed the guard's own proof is not used;
        // what it has promised has ended.
        unsafe { LockedResv::new(self.locked.resv) }
    }
}

impl<'a> Deref for ResvGuard<'a> {
    type Target = LockedResv<'a>;

    fn deref(&self) -> &Self::Target {
        &self.locked
    }
}

impl Drop for ResvGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: The guard owns the lock.
        unsafe { bindings::dma_resv_unlock(self.locked.as_raw()) };
    }
}

/// A walk over the fences of a [`Resv`] that have not signalled.
///
/// It holds a reference to the fence that it is at and notices when the list of fences is
/// replaced, hence it copes with changes while it goes on.
struct FenceIter<'a> {
    cursor: bindings::dma_resv_iter,
    started: bool,
    _resv: PhantomData<&'a Resv>,
}

impl<'a> FenceIter<'a> {
    fn new(resv: &'a Resv, usage: Usage) -> Self {
        let mut cursor = bindings::dma_resv_iter::default();

        // SAFETY: `resv` is valid, and stays so for `'a`.
        unsafe { bindings::rgt_dma_resv_iter_begin(&mut cursor, resv.as_raw(), usage.as_raw()) };

        Self {
            cursor,
            started: false,
            _resv: PhantomData,
        }
    }

    fn next(&mut self) -> Option<&Fence> {
        let fence = if self.started {
            // SAFETY: The walk has begun and is not over.
            unsafe { bindings::dma_resv_iter_next_unlocked(&mut self.cursor) }
        } else {
            self.started = true;
            // SAFETY: The cursor is initialised.
            unsafe { bindings::dma_resv_iter_first_unlocked(&mut self.cursor) }
        };

        if fence.is_null() {
            return None;
        }

        // SAFETY: The cursor has a reference to the fence until it moves on, for which it would
        // have to be borrowed again.
        Some(unsafe { Fence::from_raw(fence) })
    }
}

impl Drop for FenceIter<'_> {
    fn drop(&mut self) {
        // SAFETY: The cursor is initialised; if it is at a fence it has a reference to it.
        unsafe { bindings::rgt_dma_resv_iter_end(&mut self.cursor) };
    }
}
