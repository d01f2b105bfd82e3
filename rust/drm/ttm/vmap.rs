// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffer objects in the kernel's address space.
//!
//! C headers: [`include/drm/ttm/ttm_bo.h`](srctree/include/drm/ttm/ttm_bo.h),
//! [`include/linux/iosys-map.h`](srctree/include/linux/iosys-map.h)

use core::{
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    },
    ops::Deref,
    ptr, //
};

use kernel::{
    error::to_result,
    prelude::*,
    transmute::{
        AsBytes,
        FromBytes, //
    }, //
};

use super::{
    Bo,
    DriverBo,
    Pinned,
    Reserved,
    Resource,
    Tt, //
};
use crate::rust::bindings;

/// A buffer object that the kernel has mapped, all of it, and that is pinned meanwhile.
///
/// Dropping it takes the reservation, which must not be held.
///
/// # Invariants
///
/// `map` maps the BO where it is pinned, with all of its pages, and belongs to this.
pub struct Vmap<T: DriverBo> {
    map: bindings::iosys_map,
    pinned: Pinned<T>,
}

// SAFETY: The mapping belongs to no thread, and `Bo` is `Send`.
unsafe impl<T: DriverBo> Send for Vmap<T> {}
// SAFETY: Memory that devices share may change at any time: one more writer is no different. The
// accessors copy it by C functions that do not care.
unsafe impl<T: DriverBo> Sync for Vmap<T> {}

impl<T: DriverBo> Vmap<T> {
    /// Returns the resource that backs the BO.
    pub fn resource(&self) -> &Resource {
        self.pinned.resource()
    }

    /// Returns its system pages, if it is of a kind to have any where it is.
    pub(super) fn tt(&self) -> Option<&Tt> {
        // SAFETY: By the type invariants it is pinned and was mapped, with all of its pages.
        let tt = unsafe { (*self.as_raw()).ttm };

        // SAFETY: As above, they do not change; `tt_create()` makes all of them.
        (!tt.is_null()).then(|| unsafe { Tt::from_raw(tt) })
    }

    /// Reads a value at an offset in bytes. `EINVAL` when it is not inside.
    pub fn read<V: FromBytes>(&self, offset: usize) -> Result<V> {
        let mut value = MaybeUninit::<V>::uninit();
        self.check(offset, size_of::<V>())?;

        // SAFETY: The bytes are in the mapping and `value` has room for them. It is initialised
        // then, as any bytes do.
        Ok(unsafe {
            bindings::rgt_iosys_map_read(
                value.as_mut_ptr().cast(),
                &self.map,
                offset,
                size_of::<V>(),
            );
            value.assume_init()
        })
    }

    /// Writes a value at an offset in bytes, so that what a device does from now on sees it.
    /// `EINVAL` when it is not inside.
    pub fn write<V: AsBytes>(&self, offset: usize, value: &V) -> Result {
        self.check(offset, size_of::<V>())?;

        // SAFETY: The bytes are in the mapping, and all bytes of `value` are initialised.
        unsafe {
            bindings::rgt_iosys_map_write(
                &self.map,
                offset,
                ptr::from_ref(value).cast(),
                size_of::<V>(),
            )
        };
        Ok(())
    }

    fn check(&self, offset: usize, len: usize) -> Result {
        let end = offset.checked_add(len).ok_or(EINVAL)?;

        if end > self.size() {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Hands the mapping, and the pin that goes with it, to C.
    pub(super) fn into_c(self) -> bindings::iosys_map {
        let this = ManuallyDrop::new(self);

        // SAFETY: The field is valid, and not used any more.
        unsafe { ptr::read(&raw const this.pinned) }.into_c();
        this.map
    }

    /// Takes mapping and pin back from C, and undoes them.
    ///
    /// # Safety
    ///
    /// They must be those of [`Self::into_c()`] of `bo`, which must be reserved.
    pub(super) unsafe fn undo(bo: &Bo<T>, map: &mut bindings::iosys_map) {
        // SAFETY: By the safety requirements.
        unsafe {
            bindings::ttm_bo_vunmap(bo.as_raw(), map);
            Pinned::from_c(bo).unpin();
        }
    }
}

impl<T: DriverBo> Deref for Vmap<T> {
    type Target = Bo<T>;

    fn deref(&self) -> &Bo<T> {
        &self.pinned
    }
}

impl<T: DriverBo> Drop for Vmap<T> {
    fn drop(&mut self) {
        // Without a ticket and without signals this does not fail. It is unpinned afterwards.
        if let Ok(guard) = self.pinned.reserve(false) {
            // SAFETY: The reservation is held; the BO is where it was mapped.
            unsafe { bindings::ttm_bo_vunmap(self.pinned.as_raw(), &mut self.map) };
            guard.release_unused();
        }
    }
}

impl<T: DriverBo> Reserved<'_, T> {
    /// Maps the BO, which is in system pages, into the kernel's address space, once a move of it
    /// that is under way has ended. It is pinned meanwhile.
    ///
    /// Returns `EINVAL` for a BO in device-local memory, which goes with the device, `ENOMEM`, and
    /// the errors of [`Self::pin()`].
    ///
    /// C: `ttm_bo_vmap()`.
    pub fn vmap(&mut self, interruptible: bool) -> Result<Vmap<T>> {
        if !self.resource().is_some_and(|res| res.uses_tt()) {
            return Err(EINVAL);
        }
        // SAFETY: It is in system pages.
        unsafe { self.vmap_anywhere(interruptible) }
    }

    /// As [`Self::vmap()`], also for device-local memory, of which C maps as much as the BO is large
    /// from the first page on.
    ///
    /// # Safety
    ///
    /// Device-local memory must be one run, and stay until the result was dropped.
    pub(super) unsafe fn vmap_anywhere(&mut self, interruptible: bool) -> Result<Vmap<T>> {
        let pinned = self.pin(interruptible)?;
        let mut map = bindings::iosys_map::default();

        // SAFETY: The BO is reserved and has a resource.
        let done = to_result(unsafe { bindings::ttm_bo_vmap(pinned.as_raw(), &mut map) });
        if let Err(err) = done {
            // SAFETY: The BO is reserved.
            unsafe { pinned.unpin() };
            return Err(err);
        }
        // INVARIANT: It was just mapped, which populates it.
        Ok(Vmap { map, pinned })
    }
}
