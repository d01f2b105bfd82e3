// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The resources that back buffer objects.
//!
//! C header: [`include/drm/ttm/ttm_resource.h`](srctree/include/drm/ttm/ttm_resource.h)

use kernel::types::Opaque;

use super::{
    manager::{
        Manager,
        ResourceManager,
        ResourceObject, //
    },
    MemType,
    PlaceFlags, //
};
use crate::rust::bindings;

/// Memory that a resource manager handed out.
///
/// # Invariants
///
/// A valid `struct ttm_resource` of a buffer object whose reservation is held, or that is pinned,
/// for the borrow, or that is not published yet.
#[repr(transparent)]
pub struct Resource(Opaque<bindings::ttm_resource>);

impl Resource {
    /// # Safety
    ///
    /// `ptr` must point to a `ttm_resource` that satisfies the type's invariants for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::ttm_resource) -> &'a Self {
        // SAFETY: `Resource` is transparent over `ttm_resource`; the rest is the caller's promise.
        unsafe { &*ptr.cast() }
    }

    pub(super) fn as_raw(&self) -> *mut bindings::ttm_resource {
        self.0.get()
    }

    /// The memory type that the resource is of.
    pub fn mem_type(&self) -> MemType {
        // SAFETY: Valid by the type invariants; the field is constant.
        MemType::from_raw(unsafe { (*self.as_raw()).mem_type })
    }

    /// Returns whether the memory is system pages, held in a [`Tt`](super::Tt).
    pub fn uses_tt(&self) -> bool {
        // SAFETY: Valid by the type invariants; the manager of a live resource is registered.
        unsafe {
            let bdev = (*(*self.as_raw()).bo).bdev;
            (*(*bdev).man_drv[self.mem_type().as_raw() as usize]).use_tt
        }
    }

    /// Size in bytes.
    pub fn size(&self) -> usize {
        // SAFETY: Valid by the type invariants; the field is constant.
        unsafe { (*self.as_raw()).size }
    }

    /// The flags of the place that the resource was allocated for.
    pub fn flags(&self) -> PlaceFlags {
        // SAFETY: Valid by the type invariants; the field is constant.
        PlaceFlags::from_raw(unsafe { (*self.as_raw()).placement })
    }

    /// Returns the manager of type `M` and its part of the resource, if it is of such a manager.
    pub fn of_manager<M: ResourceManager>(&self) -> Option<(&M, &M::Resource)> {
        let mem_type = self.mem_type();
        if mem_type == MemType::SYSTEM {
            return None;
        }

        // SAFETY: Valid by the type invariants; a resource always has a BO, and a BO a device.
        let man = unsafe {
            let bdev = (*(*self.as_raw()).bo).bdev;
            (*bdev).man_drv[mem_type.as_raw() as usize]
        };
        // SAFETY: The manager of a live resource is registered, and but for TTM's own for the
        // system type only `Device::init()` registers managers.
        let manager = unsafe { Manager::<M>::try_from_raw(man) }?;
        // SAFETY: `Manager<M>` makes all its resources as `ResourceObject<M>`.
        let data = unsafe { ResourceObject::<M>::data_from_raw(self.as_raw()) };

        Some((manager, data))
    }
}
