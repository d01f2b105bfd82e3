// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Pages of processes that a device uses: GPU SVM's helpers, without its ranges.
//!
//! A [`UserPages`] is a range of a process's addresses, whose pages are mapped for the device's DMA
//! and not pinned: when they change, the device stops to use them, until they are fetched again.
//!
//! C header: [`include/drm/drm_gpusvm.h`](srctree/include/drm/drm_gpusvm.h)

mod addresses;
mod mapped;
mod pages;

pub use self::{
    addresses::PageAddresses,
    mapped::{
        MappedPages,
        MappedPagesGuard, //
    },
    pages::{
        UserPages,
        UserPagesOps, //
    }, //
};

use core::ptr;

use kernel::{
    error::to_result,
    prelude::*,
    types::{
        NotThreadSafe,
        Opaque, //
    }, //
};

use crate::rust::bindings;

/// The lock of the pages of processes that an address space uses: held to write while notifiers say
/// that pages change, and to read while a job is submitted that needs them unchanged.
///
/// Nothing is allocated and no fence waited for while it is held.
///
/// # Invariants
///
/// `raw` is initialised, without a process of its own.
#[pin_data(PinnedDrop)]
pub struct GpuSvm {
    #[pin]
    raw: Opaque<bindings::drm_gpusvm>,
}

// SAFETY: What is used of it is its lock, and functions that take it.
unsafe impl Send for GpuSvm {}
// SAFETY: As above.
unsafe impl Sync for GpuSvm {}

impl GpuSvm {
    /// Returns an initializer.
    ///
    /// C: `drm_gpusvm_init()`.
    pub fn new(name: &'static CStr) -> impl PinInit<Self, Error> {
        // INVARIANT: Initialised by `drm_gpusvm_init()`.
        try_pin_init!(Self {
            // SAFETY: The slot is pinned, the name static, and the rest as it is to be without a
            // process.
            raw <- Opaque::try_ffi_init(|slot| to_result(unsafe {
                bindings::drm_gpusvm_init(
                    slot,
                    name.as_char_ptr(),
                    ptr::null_mut(),
                    0,
                    0,
                    0,
                    ptr::null(),
                    ptr::null(),
                    0,
                )
            })),
        }? Error)
    }

    /// Takes the lock to read: pages that are current stay so until it is released.
    ///
    /// Not to be called in the closure of [`UserPages::with_addresses()`], which takes the same lock. A
    /// lock that is held around that, such as that of a VM's mappings, must not be taken under this one.
    ///
    /// C: `drm_gpusvm_notifier_lock()`.
    pub fn read(&self) -> ReadGuard<'_> {
        // SAFETY: By the type invariants.
        unsafe { bindings::down_read(&raw mut (*self.raw.get()).notifier_lock) };

        // INVARIANT: Just taken.
        ReadGuard {
            svm: self,
            _not_send: NotThreadSafe,
        }
    }

    /// Takes the lock to write.
    fn write(&self) -> WriteGuard<'_> {
        // SAFETY: By the type invariants.
        unsafe { bindings::down_write(&raw mut (*self.raw.get()).notifier_lock) };

        // INVARIANT: Just taken.
        WriteGuard {
            svm: self,
            _not_send: NotThreadSafe,
        }
    }

    fn as_raw(&self) -> *mut bindings::drm_gpusvm {
        self.raw.get()
    }
}

#[pinned_drop]
impl PinnedDrop for GpuSvm {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants; it has no ranges.
        unsafe { bindings::drm_gpusvm_fini(self.raw.get()) };
    }
}

/// Holds the lock of a [`GpuSvm`] to read.
///
/// # Invariants
///
/// The current task has taken it to read.
#[must_use]
pub struct ReadGuard<'a> {
    svm: &'a GpuSvm,
    _not_send: NotThreadSafe,
}

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::up_read(&raw mut (*self.svm.raw.get()).notifier_lock) };
    }
}

/// Holds the lock of a [`GpuSvm`] to write.
///
/// # Invariants
///
/// The current task has taken it to write.
struct WriteGuard<'a> {
    svm: &'a GpuSvm,
    _not_send: NotThreadSafe,
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::up_write(&raw mut (*self.svm.raw.get()).notifier_lock) };
    }
}
