// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffer objects of the kernel's own.
//!
//! C header: [`include/drm/ttm/ttm_bo.h`](srctree/include/drm/ttm/ttm_bo.h)

use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr, //
};

use kernel::{
    device::{
        Bound,
        Device, //
    },
    drm,
    error::to_result,
    page::PAGE_SHIFT,
    prelude::*,
    sync::aref::ARef,
    transmute::{
        AsBytes,
        FromBytes, //
    }, //
};

use super::{
    Bo,
    BoInit,
    Driver,
    DriverBo,
    OperationCtx,
    Place,
    PlaceFlags,
    Placement,
    Resource,
    Tt, //
};
use crate::rust::{
    bindings,
    drm::device as drm_device, //
};

/// A buffer object that only the kernel uses: contiguous, pinned and mapped for its life, and
/// without a handle.
///
/// It lives no longer than the device is bound, as memory behind a bus does not.
///
/// # Invariants
///
/// `bo` is of the kernel's type and pinned in the place that `map` maps. It has no
/// handle.
pub struct KernelBo<'a, T: DriverBo> {
    bo: ARef<Bo<T>>,
    map: bindings::iosys_map,
    _bound: PhantomData<(&'a drm::Device<T::Driver>, &'a Device<Bound>)>,
}

// SAFETY: The mapping belongs to no thread, and `Bo` is `Send`.
unsafe impl<T: DriverBo> Send for KernelBo<'_, T> {}
// SAFETY: Memory that the device shares may change at any time: one more writer is no different.
// The accessors copy it by C functions that do not care.
unsafe impl<T: DriverBo> Sync for KernelBo<'_, T> {}

impl<'a, T: DriverBo> KernelBo<'a, T> {
    /// Creates a BO of `size` bytes, whole pages, in `place`. Its content is undefined.
    ///
    /// Returns `EINVAL` if `bound` is not the device of `dev`, or if the CPU does not see `place`;
    /// `ENOSPC` or `ENOMEM` when there is no room.
    pub fn new(
        dev: &'a drm::Device<T::Driver>,
        bound: &'a Device<Bound>,
        size: usize,
        place: Place,
        data: impl PinInit<T, Error>,
    ) -> Result<Self> {
        // SAFETY: The device is valid; the field is constant.
        let parent = unsafe { (*drm_device::raw(dev)).dev };
        // CAST: `Device` is transparent over `struct device`.
        if !ptr::eq(parent, ptr::from_ref(bound).cast()) {
            return Err(EINVAL);
        }
        let init = BoInit {
            size,
            alignment_pages: 0,
            resv: None,
        };
        let bo = Bo::new_of_type(dev, init, bindings::ttm_bo_type_ttm_bo_type_kernel, data)?;

        let map = {
            let mut guard = bo.reserve(false)?;
            let mut reserved = guard.reserved();
            let mut ctx = OperationCtx::new(false);
            let place = place.with(PlaceFlags::CONTIGUOUS);

            reserved.validate(&Placement::new(&[place]), &mut ctx)?;
            // The BOs that were evicted from the memory may still be moving.
            reserved.wait_idle(&mut ctx)?;

            // C maps as much from the first page on.
            let seen = reserved.resource().is_some_and(|res| {
                let run = || T::Driver::io_mem_run(res, 0);
                res.uses_tt() || run().is_some_and(|run| run.pages() << PAGE_SHIFT >= size)
            });
            if !seen {
                return Err(EINVAL);
            }

            let mut map = bindings::iosys_map::default();
            // SAFETY: The BO is reserved and has a resource.
            to_result(unsafe { bindings::ttm_bo_vmap(bo.as_raw(), &mut map) })?;
            // SAFETY: The BO is reserved.
            unsafe { bindings::ttm_bo_pin(bo.as_raw()) };
            map
        };
        // INVARIANT: It was just made, pinned and mapped.
        Ok(Self {
            bo,
            map,
            _bound: PhantomData,
        })
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> usize {
        self.bo.size()
    }

    /// Returns the resource that backs it.
    pub fn resource(&self) -> &Resource {
        // SAFETY: By the type invariants it is pinned: its resource is valid and does not change.
        unsafe { Resource::from_raw((*self.bo.as_raw()).resource) }
    }

    /// Returns its system pages, if it is of a kind to have any where it is.
    pub fn tt(&self) -> Option<&Tt> {
        // SAFETY: By the type invariants it is pinned and was mapped, with all of its pages.
        let tt = unsafe { (*self.bo.as_raw()).ttm };

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

    /// Writes a value at an offset in bytes, so that what the device does from now on sees it.
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
}

impl<T: DriverBo> Drop for KernelBo<'_, T> {
    fn drop(&mut self) {
        // Without a ticket and without signals this does not fail.
        if let Ok(_guard) = self.bo.reserve(false) {
            // SAFETY: The BO is reserved; by the type invariants it is mapped and pinned.
            unsafe {
                bindings::ttm_bo_vunmap(self.bo.as_raw(), &mut self.map);
                bindings::ttm_bo_unpin(self.bo.as_raw());
            }
        }
    }
}
