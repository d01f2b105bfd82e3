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
/// All of it is called where memory is reclaimed, with locks of the process's memory held: it must
/// not allocate, nor wait for a lock with which others allocate, such as a reservation. It may wait
/// for fences.
pub trait IntervalOps: Send + Sync + Sized + 'static {
    /// Holds the lock under which [`IntervalNotifier::read_retry()`] is called, to write.
    type Guard<'a>;

    /// Takes that lock.
    fn lock(&self) -> Self::Guard<'_>;

    /// Called with the lock held, when the pages are about to change: [`IntervalNotifier::read_retry()`]
    /// returns `true` from here on.
    fn begin(&self, guard: &mut Self::Guard<'_>);

    /// Called behind that, without the lock. When it returns, nothing uses the pages any more.
    fn invalidate(&self);
}

/// A notifier of changes in a range of a process's addresses, with the driver's data.
///
/// It keeps the module: C calls it until it is dropped, which `mem::forget()` may prevent. So it is for
/// what a program has asked for, and not for what lives as long as a bound device.
///
/// # Invariants
///
/// `raw` is inserted for an `mm_struct`, to which it has a reference.
#[pin_data(PinnedDrop)]
pub struct IntervalNotifier<T: IntervalOps> {
    #[pin]
    data: T,
    #[pin]
    raw: Opaque<bindings::mmu_interval_notifier>,
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
    pub fn new(
        module: &'static ThisModule,
        mm: &MmWithUser,
        range: Range<usize>,
        data: impl PinInit<T, Error>,
    ) -> impl PinInit<Self, Error> {
        let mm = mm.as_raw();

        // INVARIANT: Inserted by the function, which takes the reference. Last, as callbacks may
        // come from then on.
        try_pin_init!(Self {
            _module: ModuleRef::try_get(module)?,
            data <- data,
            // SAFETY: The slot is pinned, the process has users, and the table lives for ever.
            raw <- Opaque::try_ffi_init(|slot| to_result(unsafe {
                bindings::mmu_interval_notifier_insert(
                    slot,
                    mm,
                    range.start,
                    range.len(),
                    const { &Self::OPS },
                )
            })),
        }? Error)
    }

    /// Returns the memory of the process.
    pub fn mm(&self) -> &Mm {
        // SAFETY: By the type invariants the reference is there as long as this.
        unsafe { Mm::from_raw((*self.raw.get()).mm) }
    }

    /// Returns whether the pages have changed since `seq` was read.
    ///
    /// To be called with the lock of the operations held.
    ///
    /// C: `mmu_interval_read_retry()`.
    pub fn read_retry(&self, seq: usize) -> bool {
        // SAFETY: By the type invariants.
        unsafe { bindings::rgt_mmu_interval_read_retry(self.raw.get(), seq) }
    }

    /// Returns the raw C notifier.
    pub(in crate::rust) fn as_raw(&self) -> *mut bindings::mmu_interval_notifier {
        self.raw.get()
    }

    /// Tells of a change.
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
