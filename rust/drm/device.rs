// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Entering a DRM device from where no ioctl has done it.
//!
//! C header: [`include/drm/drm_drv.h`](srctree/include/drm/drm_drv.h)

use kernel::drm::{
    self,
    Ioctl,
    RegistrationGuard, //
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
