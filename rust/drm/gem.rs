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
/// It holds no reference to its device: who keeps one keeps the reservation, nothing else.
///
/// # Invariants
///
/// A valid `drm_gem_object` made by `drm_gpuvm_resv_object_alloc()`.
#[repr(transparent)]
pub struct ResvObject(Opaque<bindings::drm_gem_object>);

// SAFETY: All that it gives access to is the reservation, which does its own locking.
unsafe impl Send for ResvObject {}
// SAFETY: As above.
unsafe impl Sync for ResvObject {}

// SAFETY: All GEM objects are reference counted.
unsafe impl AlwaysRefCounted for ResvObject {
    fn inc_ref(&self) {
        // SAFETY: A shared reference shows that the count is not 0.
        unsafe { bindings::drm_gem_object_get(self.0.get()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns the reference that is given up here.
        unsafe { bindings::drm_gem_object_put(obj.cast().as_ptr()) };
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

    /// Returns the reservation.
    pub fn resv(&self) -> &Resv {
        // SAFETY: Valid by the type invariants; the object's reservation is its own.
        unsafe { Resv::from_raw((*self.0.get()).resv) }
    }
}
