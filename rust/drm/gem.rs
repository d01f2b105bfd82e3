// SPDX-License-Identifier: GPL-2.0 OR MIT

//! GEM objects without memory.
//!
//! C header: [`include/drm/drm_gem.h`](srctree/include/drm/drm_gem.h)

use core::ptr::NonNull;

use kernel::{
    sync::aref::AlwaysRefCounted,
    types::Opaque, //
};

use crate::rust::{
    bindings,
    dma_resv::Resv, //
};

/// A GEM object that has nothing but a reservation, for others to share.
///
/// A reference to it keeps its device, too, which the object's release needs.
///
/// # Invariants
///
/// A valid `drm_gem_object` made by `drm_gpuvm_resv_object_alloc()`, of a device that is kept.
#[repr(transparent)]
pub struct ResvObject(Opaque<bindings::drm_gem_object>);

// SAFETY: All that it gives access to is the reservation, which does its own locking.
unsafe impl Send for ResvObject {}
// SAFETY: As above.
unsafe impl Sync for ResvObject {}

// SAFETY: All GEM objects and DRM devices are reference counted.
unsafe impl AlwaysRefCounted for ResvObject {
    fn inc_ref(&self) {
        // SAFETY: A shared reference shows that neither count is 0.
        unsafe {
            bindings::drm_dev_get((*self.0.get()).dev);
            bindings::drm_gem_object_get(self.0.get());
        }
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        let obj = obj.cast::<bindings::drm_gem_object>().as_ptr();

        // SAFETY: The caller owns the references that are given up here.
        unsafe {
            let dev = (*obj).dev;
            bindings::drm_gem_object_put(obj);
            bindings::drm_dev_put(dev);
        }
    }
}

/// A reference to a [`ResvObject`] that does not keep the device, for what the device's release
/// waits for.
pub(super) struct SharedResv(NonNull<bindings::drm_gem_object>);

// SAFETY: As for `ResvObject`.
unsafe impl Send for SharedResv {}
// SAFETY: As above.
unsafe impl Sync for SharedResv {}

impl SharedResv {
    /// Takes a reference.
    ///
    /// # Safety
    ///
    /// It must be dropped before the device's `drm_device` is released.
    pub(super) unsafe fn new(object: &ResvObject) -> Self {
        // SAFETY: A shared reference shows that the count is not 0.
        unsafe { bindings::drm_gem_object_get(object.0.get()) };
        // CAST: `ResvObject` is transparent.
        Self(NonNull::from(object).cast())
    }
}

impl Drop for SharedResv {
    fn drop(&mut self) {
        // SAFETY: The reference is given up here; by `new()`'s requirements the device is there.
        unsafe { bindings::drm_gem_object_put(self.0.as_ptr()) };
    }
}

impl ResvObject {
    /// # Safety
    ///
    /// `ptr` must satisfy the type's invariants for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::drm_gem_object) -> &'a Self {
        // SAFETY: `ResvObject` is transparent; the rest is the caller's promise.
        unsafe { &*ptr.cast() }
    }

    /// Returns the object's device.
    pub(super) fn raw_device(&self) -> *mut bindings::drm_device {
        // SAFETY: Valid by the type invariants; the field is constant.
        unsafe { (*self.0.get()).dev }
    }

    /// Returns the reservation.
    pub fn resv(&self) -> &Resv {
        // SAFETY: Valid by the type invariants; the object's reservation is its own.
        unsafe { Resv::from_raw((*self.0.get()).resv) }
    }
}
