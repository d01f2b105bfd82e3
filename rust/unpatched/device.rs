// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Entering a DRM device from where no ioctl has done it.
//!
//! C header: [`include/drm/drm_drv.h`](srctree/include/drm/drm_drv.h)

use kernel::{
    drm::{
        self,
        Ioctl,
        RegistrationGuard, //
    },
    prelude::*, //
};

use crate::rust::bindings;

/// Returns the `struct drm_device` of a device.
pub fn raw<T: drm::Driver>(dev: &drm::Device<T>) -> *mut bindings::drm_device {
    // CAST: `drm::Device` is `repr(C)` and begins with its `drm_device`.
    core::ptr::from_ref(dev).cast_mut().cast()
}

/// Enters the device: keeps it registered, and its parent bound, until the guard is dropped.
///
/// Page faults, evictions and delayed destruction reach a driver without the guard that an ioctl
/// gets. Returns [`None`] before the registration is complete and once the device is unplugged.
///
/// C: `drm_dev_enter()`.
pub fn enter<T: drm::Driver>(dev: &drm::Device<T>) -> Option<RegistrationGuard<'_, T>> {
    // SAFETY: `raw()` returns a valid `drm_device`. `registered` only becomes true in
    // `drm_dev_register()`; a racing read of the boolean yields one of its two values, and either
    // is a right answer for the time before or after.
    let registered = unsafe { core::ptr::read_volatile(&raw const (*raw(dev)).registered) };
    if !registered {
        return None;
    }

    // SAFETY: The pointer is the `drm_device` embedded in `dev`, which is valid for the borrow.
    // It has been registered, which is what `Ioctl` promises.
    let dev: &drm::Device<T, Ioctl> = unsafe { drm::Device::from_raw(raw(dev)) };

    dev.registration_guard()
}

/// A reference to a device that is given back where the device must not be released: its release
/// may wait for the very task.
///
/// # Invariants
///
/// The device is valid and has a reference for this.
pub(in crate::rust) struct KeptDevice(*mut bindings::drm_device);

// SAFETY: A device is reference counted, and released in any context that may sleep.
unsafe impl Send for KeptDevice {}

impl KeptDevice {
    /// Takes a reference, unless the device is being released.
    ///
    /// # Safety
    ///
    /// `dev` must be valid.
    pub(in crate::rust) unsafe fn new(dev: *mut bindings::drm_device) -> Option<Self> {
        // SAFETY: By the safety requirements.
        let got = unsafe { bindings::rgt_drm_dev_get_unless_zero(dev) };

        // INVARIANT: The reference was taken.
        got.then(|| Self(dev))
    }

    /// Takes over a reference.
    ///
    /// # Safety
    ///
    /// The caller must have one, of a valid device.
    pub(in crate::rust) unsafe fn from_owned(dev: *mut bindings::drm_device) -> Self {
        // INVARIANT: By the safety requirements.
        Self(dev)
    }
}

impl Drop for KeptDevice {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        if unsafe { bindings::rgt_drm_dev_put_unless_last(self.0) } {
            return;
        }

        // SAFETY: It is the last reference, which is handed over. The code that holds it keeps the
        // module until this returns.
        unsafe { bindings::rgt_drm_dev_put_by_thread(self.0) };
    }
}
