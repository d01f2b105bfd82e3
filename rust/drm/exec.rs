// SPDX-License-Identifier: GPL-2.0 OR MIT

//! DRM execution context: taking the reservation locks of many GEM objects.
//!
//! Locks that are taken in different orders by different tasks would deadlock. So a task takes
//! them as a group, and when two groups meet one of them lets go of everything, waits for the
//! other, and starts again. [`Exec`] does that.
//!
//! C header: [`include/drm/drm_exec.h`](srctree/include/drm/drm_exec.h)

use core::{
    cell::{
        Cell,
        OnceCell, //
    },
    marker::PhantomData,
    ptr, //
};

use kernel::{
    drm::gem::IntoGEMObject,
    error::to_result,
    prelude::*,
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

use crate::rust::{
    alloc::LazyVec,
    bindings,
    dma_fence::Fence,
    dma_resv::{
        LockedResv,
        Resv,
        Usage, //
    },
};

/// Flags of an [`Exec`].
#[derive(Clone, Copy, Default)]
pub struct ExecFlags {
    /// Stop waiting when the task gets a signal.
    pub interruptible: bool,
    /// Locking what is already locked is not an error.
    pub ignore_duplicates: bool,
}

/// The locks of a group of GEM objects, released on drop.
///
/// # Examples
///
/// ```
/// # use kernel::prelude::*;
/// # use crate::rust::{dma_resv::Usage, drm::exec::{Exec, ExecFlags}};
/// # use crate::tests::{fake::Fixture, rust::dma_fence::timeline};
/// # let fixture = Fixture::new()?;
/// # let (source, target) = (fixture.object()?, fixture.object()?);
/// # let timeline = timeline()?;
/// pin_init::stack_pin_init!(let exec = Exec::new(ExecFlags::default(), 2));
///
/// exec.as_mut().until_all_locked(|locks| {
///     locks.prepare(&*source, 1)?;
///     locks.prepare(&*target, 1)
/// })?;
///
/// // What can fail comes first.
/// let unpublished = timeline.new_fence()?;
/// let [source_slot] = exec.resv_of(&*source)?.reserve_fences()?;
/// let [target_slot] = exec.resv_of(&*target)?.reserve_fences()?;
///
/// let (fence, pending) = unpublished.publish();
/// source_slot.add(&fence, Usage::Read);
/// target_slot.add(&fence, Usage::Write);
/// exec.release();
/// # pending.signal(Ok(()));
/// # Ok::<(), Error>(())
/// ```
///
/// The locks go with the context:
///
/// ```compile_fail,E0505
/// # use kernel::{drm::gem::IntoGEMObject, prelude::*};
/// # use crate::rust::drm::exec::Exec;
/// fn keep_the_lock<O: IntoGEMObject>(exec: Pin<&mut Exec>, obj: &O) -> Result {
///     let resv = exec.resv_of(obj)?;
///     exec.release();
///     let [_slot] = resv.reserve_fences()?;
///     Ok(())
/// }
/// ```
///
/// # Invariants
///
/// - `exec` is initialised if `in_use` is set.
/// - `locked` has an entry for each reservation that `exec` tracks if [`Self::until_all_locked`]
///   has succeeded, and else none. The entries' lifetime is that of the locks, which the current
///   task holds until `exec` is finalised.
/// - `by_address`, if it is there, has the indices of all entries, in the order of the reservations'
///   addresses.
#[pin_data(PinnedDrop)]
pub struct Exec {
    // The locks' waiters know the context by its address, so it has to stay where it is.
    #[pin]
    exec: Opaque<bindings::drm_exec>,
    flags: ExecFlags,
    nr_hint: u32,
    in_use: bool,
    locked: LazyVec<LockedResv<'static>>,
    /// The index after the last lookup: many look the reservations up in the order of the locks.
    next: Cell<usize>,
    by_address: OnceCell<KVVec<u32>>,
    _not_send: NotThreadSafe,
}

impl Exec {
    /// Creates a context that has no lock yet.
    ///
    /// `nr_hint` is how many objects it is likely to lock, or 0 if that is not known.
    pub fn new(flags: ExecFlags, nr_hint: u32) -> impl PinInit<Self> {
        pin_init!(Self {
            exec: Opaque::uninit(),
            flags,
            nr_hint,
            in_use: false,
            locked: LazyVec::new(),
            next: Cell::new(0),
            by_address: OnceCell::new(),
            _not_send: PhantomData,
        })
    }

    fn as_raw(&self) -> *mut bindings::drm_exec {
        self.exec.get()
    }

    /// Initialises the context, which is not in use.
    fn init(self: Pin<&mut Self>) {
        let flag = |set, flag| if set { flag } else { 0 };
        let flags = flag(
            self.flags.interruptible,
            bindings::RGT_EXEC_INTERRUPTIBLE_WAIT,
        ) | flag(
            self.flags.ignore_duplicates,
            bindings::RGT_EXEC_IGNORE_DUPLICATES,
        );

        // SAFETY: The memory is valid, and the context is not in use.
        unsafe { bindings::drm_exec_init(self.as_raw(), flags, self.nr_hint) };
        // INVARIANT: It is initialised now.
        *self.project().in_use = true;
    }

    /// Releases all locks.
    pub fn release(self: Pin<&mut Self>) {
        if !self.in_use {
            return;
        }
        let exec = self.as_raw();
        let this = self.project();
        // INVARIANT: It is finalised below, and there are no proofs any more.
        *this.in_use = false;
        *this.by_address = OnceCell::new();
        *this.locked = LazyVec::new();

        // SAFETY: The context was initialised by the type invariant, and by this task, as it cannot
        // move to another.
        unsafe { bindings::drm_exec_fini(exec) };
    }

    /// Runs `f` until it gets through without meeting another task's group of locks.
    ///
    /// `f` takes the locks, and may do what needs some of them and might need to take more. Each
    /// time that it is called no lock is held. It should return the errors of [`ExecLocks`] as
    /// they are; any other error ends the attempt.
    ///
    /// If this succeeds, the locks are held until they are released, the context is dropped, or this
    /// is called again. If it fails none is.
    pub fn until_all_locked<R>(
        mut self: Pin<&mut Self>,
        mut f: impl FnMut(&mut ExecLocks<'_>) -> Result<R>,
    ) -> Result<R> {
        self.as_mut().release();
        self.as_mut().init();
        let done = self.as_mut().try_until_all_locked(&mut f);

        done.inspect_err(|_| self.release())
    }

    fn try_until_all_locked<R>(
        mut self: Pin<&mut Self>,
        f: &mut impl FnMut(&mut ExecLocks<'_>) -> Result<R>,
    ) -> Result<R> {
        let exec = self.as_raw();
        let mut contended = false;

        loop {
            // SAFETY: The context is initialised. This begins a new attempt: at first, or because
            // there was contention.
            unsafe { bindings::drm_exec_cleanup(exec) };

            if contended {
                // Take the lock that the last attempt stopped at, even if `f` takes none this time.
                //
                // SAFETY: The context is initialised, and none of its locks is held.
                to_result(unsafe {
                    bindings::drm_exec_prepare_array(exec, ptr::null_mut(), 0, 0)
                })?;
            }

            let result = f(&mut ExecLocks {
                exec,
                _exec: PhantomData,
            });

            // SAFETY: The context is initialised.
            contended = unsafe { bindings::rgt_drm_exec_is_contended(exec) };
            if contended {
                continue;
            }

            let value = result?;
            self.as_mut().collect()?;

            // SAFETY: As there is no contention this ends the acquire phase.
            unsafe { bindings::drm_exec_cleanup(exec) };
            return Ok(value);
        }
    }

    /// Creates the proofs of all locks that are held.
    fn collect(self: Pin<&mut Self>) -> Result {
        let exec = self.as_raw();

        // SAFETY: The context is initialised.
        let count = unsafe { (*exec).num_objects };
        let proofs = (0..count as usize).map(|index| {
            // SAFETY: The context has that many objects.
            let obj = unsafe { *(*exec).objects.add(index) };

            // SAFETY: The context has a reference to the object until it is finalised, and a
            // reservation is valid as long as an object uses it.
            let resv = unsafe { Resv::from_raw((*obj).resv) };

            // SAFETY: The context tracks an object when it takes the lock of its reservation, so
            // that each reservation comes up once, and holds the lock until it is finalised.
            // `self.locked` is emptied before that. Nothing else of `Exec` gives out proofs now,
            // and those of `ExecLocks` are gone with it.
            unsafe { LockedResv::new(resv) }
        });

        let locked = LazyVec::collect(proofs, GFP_KERNEL)?;
        let this = self.project();

        *this.locked = locked;
        // INVARIANT: The indices are not those of a lookup among none.
        *this.by_address = OnceCell::new();
        Ok(())
    }

    /// Returns the proof that the lock of `obj` is held.
    ///
    /// Returns [`EINVAL`] if this context does not hold it.
    pub fn resv_of<O: IntoGEMObject>(&self, obj: &O) -> Result<&LockedResv<'_>> {
        self.locked(resv_of(obj))
    }

    /// Returns the proof as [`Self::resv_of`] does, for a reservation that is known without an
    /// object.
    pub fn locked_resv(&self, resv: &Resv) -> Result<&LockedResv<'_>> {
        self.locked(resv.as_raw())
    }

    /// Returns the number of reservations whose locks are held.
    pub fn len(&self) -> usize {
        self.locked.len()
    }

    /// Reserves room for a fence on each reservation whose lock is held.
    pub fn reserve_all(self: Pin<&mut Self>) -> Result<AllSlots<'_>> {
        for locked in &*self.locked {
            locked.make_room(1)?;
        }

        // INVARIANT: There is room now, beside that of earlier promises. As all proofs are borrowed
        // with `self`, nothing else gets it.
        Ok(AllSlots { exec: self })
    }

    fn locked(&self, resv: *mut bindings::dma_resv) -> Result<&LockedResv<'_>> {
        Ok(&self.locked[self.index(resv)?])
    }

    /// Returns the proof as [`Self::resv_of`] does, and its index in the order in which the locks
    /// were taken.
    ///
    /// The time does not depend on how many there are for the reservation that was looked up last,
    /// and for the next one.
    #[inline]
    pub fn entry_of<O: IntoGEMObject>(&self, obj: &O) -> Result<(usize, &LockedResv<'_>)> {
        let index = self.index(resv_of(obj))?;

        Ok((index, &self.locked[index]))
    }

    #[inline]
    fn index(&self, resv: *mut bindings::dma_resv) -> Result<usize> {
        let next = self.next.get();
        let is_at = |index: usize| {
            self.locked
                .get(index)
                .is_some_and(|locked| locked.as_raw() == resv)
        };
        let index = if is_at(next) {
            next
        } else if next != 0 && is_at(next - 1) {
            next - 1
        } else {
            self.search(resv)?
        };

        self.next.set(index + 1);
        Ok(index)
    }

    fn search(&self, resv: *mut bindings::dma_resv) -> Result<usize> {
        let address = |&index: &u32| self.locked[index as usize].as_raw();

        if self.by_address.get().is_none() {
            let mut order = KVVec::with_capacity(self.locked.len(), GFP_KERNEL)?;
            for index in 0..self.locked.len() as u32 {
                order.push_within_capacity(index).map_err(|_| ENOMEM)?;
            }
            order.sort_unstable_by_key(address);
            // INVARIANT: Just sorted. There is none yet.
            let _ = self.by_address.set(order);
        }
        let order = self.by_address.get().ok_or(EINVAL)?;
        let at = order
            .binary_search_by_key(&resv, address)
            .map_err(|_| EINVAL)?;

        Ok(order[at] as usize)
    }
}

#[pinned_drop]
impl PinnedDrop for Exec {
    fn drop(self: Pin<&mut Self>) {
        self.release();
    }
}

/// Room for one fence on each reservation whose lock an [`Exec`] holds: a
/// [`FenceSlot`](crate::rust::dma_resv::FenceSlot) of each.
///
/// # Invariants
///
/// Each reservation of `exec` has room for a fence that is promised to nothing else.
#[must_use = "the room is given up when this is dropped"]
pub struct AllSlots<'a> {
    exec: Pin<&'a mut Exec>,
}

impl AllSlots<'_> {
    /// Adds a fence to all, with the usage that `usage` returns for the index of [`Exec::entry_of`].
    ///
    /// This neither allocates nor sleeps nor fails, if `usage` does not.
    pub fn add(self, fence: &Fence, mut usage: impl FnMut(usize) -> Usage) {
        for (index, locked) in self.exec.locked.iter().enumerate() {
            // SAFETY: By the type invariant there is room, and this is the only fence that takes it.
            unsafe { locked.add_fence(fence, usage(index)) };
        }
    }
}

/// The locking phase of an [`Exec`].
///
/// # Invariants
///
/// `exec` is in its acquire phase.
pub struct ExecLocks<'a> {
    exec: *mut bindings::drm_exec,
    _exec: PhantomData<&'a mut Exec>,
}

impl ExecLocks<'_> {
    /// Takes the lock of `obj`, and a reference to it for as long.
    ///
    /// Returns [`EDEADLK`] if all locks have to be taken anew, [`EALREADY`] if this context holds
    /// the lock and duplicates are not ignored, and [`EINTR`] if the task got a signal while it
    /// waited interruptibly.
    pub fn lock<O: IntoGEMObject>(&mut self, obj: &O) -> Result {
        // SAFETY: The object is valid, and a GEM object has a reference for each that exists in
        // Rust.
        unsafe { self.lock_raw(obj.as_raw()) }
    }

    /// Takes a lock as [`Self::lock`] does, for an object that has no Rust type.
    ///
    /// # Safety
    ///
    /// `obj` must be valid.
    pub(super) unsafe fn lock_raw(&mut self, obj: *mut bindings::drm_gem_object) -> Result {
        self.check_contended()?;

        // SAFETY: The context is initialised, and the object valid.
        unsafe {
            // Finding that out by locking takes longer. The one that was waited for is locked, and
            // not tracked yet.
            if (*self.exec).flags & bindings::RGT_EXEC_IGNORE_DUPLICATES != 0
                && (*self.exec).prelocked != obj
                && bindings::rgt_dma_resv_locking_ctx((*obj).resv) == &raw mut (*self.exec).ticket
            {
                return Ok(());
            }
        }

        // SAFETY: By the type invariant locks may be taken, and there is no contention to be
        // resolved. The object is valid by the safety requirements.
        to_result(unsafe { bindings::drm_exec_lock_obj(self.exec, obj) })
    }

    /// Takes the lock of `obj` as [`Self::lock`] does and makes room for `num_fences`, so that
    /// [`LockedResv::reserve_fences`] need not allocate it later.
    pub fn prepare<O: IntoGEMObject>(&mut self, obj: &O, num_fences: u32) -> Result {
        self.lock(obj)?;

        self.resv_of(obj)?.make_room(num_fences).map(drop)
    }

    /// Returns the proof that the lock of `obj` is held.
    ///
    /// Returns [`EINVAL`] if this context does not hold it.
    pub fn resv_of<O: IntoGEMObject>(&mut self, obj: &O) -> Result<LockedResv<'_>> {
        let resv = resv_of(obj);

        // SAFETY: By the type invariant the context is valid.
        let ticket = unsafe { &raw mut (*self.exec).ticket };

        // SAFETY: The object is valid and hence its reservation.
        if unsafe { bindings::rgt_dma_resv_locking_ctx(resv) } != ticket {
            return Err(EINVAL);
        }

        // SAFETY:
        // - The context holds the lock until its acquire phase begins anew, which takes the end of
        //   this one, or it is finalised. It has a reference to an object that uses the
        //   reservation.
        // - As `self` is borrowed there is no other proof from it.
        Ok(unsafe { LockedResv::new(Resv::from_raw(resv)) })
    }

    /// Returns the proof as [`Self::resv_of`] does, for a reservation that is known without an
    /// object.
    pub fn locked_resv<'b>(&'b mut self, resv: &'b Resv) -> Result<LockedResv<'b>> {
        self.check_locked(resv)?;

        // SAFETY: As for `resv_of()`.
        Ok(unsafe { LockedResv::new(resv) })
    }

    /// Returns the raw context, to take more locks in this attempt.
    pub(super) fn as_raw(&mut self) -> Result<*mut bindings::drm_exec> {
        self.check_contended()?;
        Ok(self.exec)
    }

    /// Checks that this context holds the lock of `resv`: `EINVAL` if not.
    pub(super) fn check_locked(&self, resv: &Resv) -> Result {
        // SAFETY: By the type invariant the context is valid.
        let ticket = unsafe { &raw mut (*self.exec).ticket };

        // SAFETY: The reservation is valid.
        if unsafe { bindings::rgt_dma_resv_locking_ctx(resv.as_raw()) } != ticket {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Once there is contention nothing more can be locked in this attempt.
    fn check_contended(&self) -> Result {
        // SAFETY: By the type invariant the context is initialised.
        if unsafe { bindings::rgt_drm_exec_is_contended(self.exec) } {
            return Err(EDEADLK);
        }
        Ok(())
    }
}

fn resv_of<O: IntoGEMObject>(obj: &O) -> *mut bindings::dma_resv {
    // SAFETY: `as_raw()` returns a pointer to a valid GEM object, whose reservation does not change
    // as long as there are references to the object.
    unsafe { (*obj.as_raw()).resv }
}
