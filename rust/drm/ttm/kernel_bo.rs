// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffer objects of the kernel's own.
//!
//! C header: [`include/drm/ttm/ttm_bo.h`](srctree/include/drm/ttm/ttm_bo.h)

use core::{
    marker::PhantomData,
    ptr, //
};

use kernel::{
    device::{
        Bound,
        Device, //
    },
    drm,
    page::PAGE_SHIFT,
    prelude::*,
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
    Tt,
    Vmap, //
};
use crate::rust::{
    bindings,
    drm::device as drm_device, //
};

/// A buffer object that only the kernel uses: contiguous, pinned and mapped for its life, and
/// without a handle.
///
/// It lives no longer than the device is bound, as memory behind a bus does not. As it is pinned, what
/// memory loses in a suspend is for its owner to save, or the BO to be dropped before and made anew.
///
/// # Invariants
///
/// `map` maps a BO of the kernel's type, which has no handle.
pub struct KernelBo<'a, T: DriverBo> {
    map: Vmap<T>,
    _bound: PhantomData<(&'a drm::Device<T::Driver>, &'a Device<Bound>)>,
}

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

            // SAFETY: It is one run, as was checked. Memory of a device is there as long as that is
            // bound, for which the result may live.
            unsafe { reserved.vmap_anywhere(false) }?
        };
        // INVARIANT: It was just made, and mapped.
        Ok(Self {
            map,
            _bound: PhantomData,
        })
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> usize {
        self.map.size()
    }

    /// Returns the resource that backs it.
    pub fn resource(&self) -> &Resource {
        self.map.resource()
    }

    /// Returns its system pages, if it is of a kind to have any where it is.
    pub fn tt(&self) -> Option<&Tt> {
        self.map.tt()
    }

    /// Reads a value at an offset in bytes. `EINVAL` when it is not inside.
    pub fn read<V: FromBytes>(&self, offset: usize) -> Result<V> {
        self.map.read(offset)
    }

    /// Writes a value at an offset in bytes, so that what the device does from now on sees it.
    /// `EINVAL` when it is not inside.
    pub fn write<V: AsBytes>(&self, offset: usize, value: &V) -> Result {
        self.map.write(offset, value)
    }
}
