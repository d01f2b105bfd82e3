// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Notifiers of changes in a range of a process's addresses.
//!
//! C header: [`include/linux/mmu_notifier.h`](srctree/include/linux/mmu_notifier.h)

use core::{
    ops::{
        Deref,
        Range, //
    },
    ptr, //
};

use kernel::{
    error::to_result,
    mm::{
        Mm,
        MmWithUser, //
    },
    prelude::*,
    types::Opaque, //
};

use crate::rust::{
    bindings,
    module::ModuleRef, //
};

/// What is done when the pages of a range change.
///
/// [`Self::lock()`], [`Self::begin()`] and [`Self::invalidate()`] are called where memory is reclaimed,
/// with locks of the process's memory held: they must not allocate, nor wait for a lock with which
/// others allocate, such as a reservation. They may wait for fences.
pub trait IntervalOps: Send + Sync + Sized + 'static {
    /// A guard of the lock under which pages begin to change.
    type Guard<'a>;

    /// A guard of the same lock, shared if that has readers. While it is held no pages begin to change.
    type ReadGuard<'a>;

    /// Takes the lock.
    fn lock(&self) -> Self::Guard<'_>;

    /// Returns whether a guard is of this lock, and not of another one.
    fn is_locked_by(&self, guard: &Self::ReadGuard<'_>) -> bool;

    /// Called with the lock held, when the pages are about to change: [`Sequence::read_retry()`]
    /// returns `true` from here on, for what was begun before.
    fn begin(&self, guard: &mut Self::Guard<'_>);

    /// Called behind that, without the lock. When it returns, nothing uses the pages any more.
    fn invalidate(&self);
}

/// A notifier of changes in a range of a process's addresses, with the driver's data.
///
/// Pages are looked up between [`Self::read_begin()`] and [`Sequence::read_retry()`]. They are those of
/// the range if the latter returns `false`, until the lock is released.
///
/// It keeps the module: C calls it until it is dropped, which `mem::forget()` may prevent. So it is for
/// what a program has asked for, and not for what lives as long as a bound device.
///
/// # Invariants
///
/// `raw` is inserted for `range` of an `mm_struct`, to which it has a reference.
#[pin_data(PinnedDrop)]
pub struct IntervalNotifier<T: IntervalOps> {
    #[pin]
    data: T,
    #[pin]
    raw: Opaque<bindings::mmu_interval_notifier>,
    range: Range<usize>,
    /// Last: the data is dropped by code of the module.
    _module: ModuleRef,
}

// SAFETY: The notifier is used and removed from any thread, and `T` is `Send`.
unsafe impl<T: IntervalOps> Send for IntervalNotifier<T> {}
// SAFETY: As above; `T` is `Sync`.
unsafe impl<T: IntervalOps> Sync for IntervalNotifier<T> {}

impl<T: IntervalOps> IntervalNotifier<T> {
    const OPS: bindings::mmu_interval_notifier_ops = bindings::mmu_interval_notifier_ops {
        invalidate: Some(Self::invalidate_callback),
        ..pin_init::zeroed()
    };

    /// Returns an initializer of a notifier for a range of a process's addresses, which is not empty,
    /// with data of `module`.
    ///
    /// Dropping it waits for callbacks that are under way: not to be done with a lock held that they
    /// take, nor where fences signal.
    ///
    /// `EOVERFLOW` for a range that is empty, `ENODEV` when the module is being unloaded.
    ///
    /// C: `mmu_interval_notifier_insert()`.
    pub fn new<'a, I: PinInit<T, Error>>(
        module: &'static ThisModule,
        mm: &'a MmWithUser,
        range: Range<usize>,
        data: I,
    ) -> impl PinInit<Self, Error> + use<'a, T, I> {
        // INVARIANT: Inserted by the function, which takes the reference. Last, as callbacks may
        // come from then on.
        try_pin_init!(Self {
            _module: ModuleRef::try_get(module)?,
            data <- data,
            range: range.clone(),
            // SAFETY: The slot is pinned, the process has users for `'a`, and the table lives for
            // ever.
            raw <- Opaque::try_ffi_init(|slot| to_result(unsafe {
                bindings::mmu_interval_notifier_insert(
                    slot,
                    mm.as_raw(),
                    range.start,
                    range.len(),
                    const { &Self::OPS },
                )
            })),
        }? Error)
    }

    /// Returns the range of addresses.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Returns the memory of the process.
    pub fn mm(&self) -> &Mm {
        // SAFETY: By the type invariants the reference is there as long as this.
        unsafe { Mm::from_raw((*self.raw.get()).mm) }
    }

    /// Waits until no change of pages is under way, and begins to read them.
    ///
    /// They may change again at once. Not to be called with a lock held that callbacks take, nor where
    /// fences signal.
    ///
    /// C: `mmu_interval_read_begin()`.
    pub fn read_begin(&self) -> Sequence<'_, T> {
        // SAFETY: By the type invariants.
        let number = unsafe { bindings::mmu_interval_read_begin(self.raw.get()) };

        // INVARIANT: Just returned for this notifier.
        Sequence {
            notifier: self,
            number,
        }
    }

    /// Returns the raw C notifier.
    pub(in crate::rust) fn as_raw(&self) -> *mut bindings::mmu_interval_notifier {
        self.raw.get()
    }

    /// Tells `T` of a change.
    ///
    /// # Safety
    ///
    /// Only for C, as `mmu_interval_notifier_ops::invalidate` of an `IntervalNotifier<T>`.
    unsafe extern "C" fn invalidate_callback(
        raw: *mut bindings::mmu_interval_notifier,
        range: *const bindings::mmu_notifier_range,
        seq: c_ulong,
    ) -> bool {
        // SAFETY: The range is valid.
        if !unsafe { bindings::rgt_mmu_notifier_range_blockable(range) } {
            return false;
        }
        // SAFETY: `raw` is that of an `IntervalNotifier<T>` whose data is initialised, and which is
        // not dropped before this returns. Nobody has a mutable reference to the data.
        let data = unsafe {
            let this = kernel::container_of!(Opaque::cast_from(raw), Self, raw);
            &*ptr::addr_of!((*this).data)
        };

        let mut guard = data.lock();
        // SAFETY: The notifier is valid, and `seq` is what C passes for this.
        unsafe { bindings::rgt_mmu_interval_set_seq(raw, seq) };
        data.begin(&mut guard);
        drop(guard);
        data.invalidate();
        true
    }
}

/// A state of the pages of a notifier's range, as [`IntervalNotifier::read_begin()`] found it.
///
/// # Invariants
///
/// `number` was returned by `mmu_interval_read_begin()` for `notifier`.
pub struct Sequence<'a, T: IntervalOps> {
    notifier: &'a IntervalNotifier<T>,
    number: usize,
}

impl<T: IntervalOps> Clone for Sequence<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: IntervalOps> Copy for Sequence<'_, T> {}

impl<'a, T: IntervalOps> Sequence<'a, T> {
    /// Returns that of a number that C has.
    ///
    /// # Safety
    ///
    /// `mmu_interval_read_begin()` must have returned the number for the notifier.
    pub(in crate::rust) unsafe fn from_raw(
        notifier: &'a IntervalNotifier<T>,
        number: usize,
    ) -> Self {
        // INVARIANT: By the safety requirements.
        Self { notifier, number }
    }

    /// Returns the notifier.
    pub fn notifier(&self) -> &'a IntervalNotifier<T> {
        self.notifier
    }

    /// Returns the number.
    pub(in crate::rust) fn number(&self) -> usize {
        self.number
    }

    /// Returns whether the pages have changed since, or may have: also if `guard` is of another lock
    /// than that of the notifier's data. If not, they do not before the lock is released.
    ///
    /// C: `mmu_interval_read_retry()`.
    pub fn read_retry(&self, guard: &T::ReadGuard<'_>) -> bool {
        if !self.notifier.is_locked_by(guard) {
            return true;
        }
        // SAFETY: The notifier is inserted, by its type invariants. Without a lock that excludes
        // callbacks the number may be an old one, which is all that can be wrong with it.
        unsafe { bindings::rgt_mmu_interval_read_retry(self.notifier.as_raw(), self.number) }
    }
}

impl<T: IntervalOps> Deref for IntervalNotifier<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

#[pinned_drop]
impl<T: IntervalOps> PinnedDrop for IntervalNotifier<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants it is inserted. `data` is dropped after this.
        unsafe { bindings::mmu_interval_notifier_remove(self.raw.get()) };
    }
}
