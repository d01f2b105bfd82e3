// SPDX-License-Identifier: GPL-2.0

//! GEM_CREATE's part below the uAPI.

use kernel::{
    page::{
        page_align,
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*,
    sizes::SZ_2M,
    sync::aref::ARef, //
};

use super::{
    object::{
        Bo,
        BoData, //
    },
    places::places,
    trace, //
};
use crate::{
    device::RgtDevice,
    placement::Accessor,
    rust::drm::{
        gem::ResvObject,
        print::drm_dbg,
        ttm::{
            BoInit,
            MemType,
            Place, //
        }, //
    }, //
};

/// Creates a BO of `size` bytes, rounded up to whole pages, which shares the reservation `resv` if
/// there is one.
///
/// Returns `EINVAL` for a size that is 0 or overflows, or an alignment that is not a power of two
/// from a page to 2 MiB, `ENOSPC` when it would fit into none of its places, `ENOMEM` when all BOs
/// together would be too large.
pub(crate) fn create(
    dev: &RgtDevice,
    size: u64,
    resv: Option<&ResvObject>,
    mut data: BoData,
) -> Result<ARef<Bo>> {
    let size = usize::try_from(size)
        .ok()
        .and_then(page_align)
        .filter(|&size| size != 0 && size <= isize::MAX as usize)
        .ok_or_else(|| {
            drm_dbg!(dev, "GEM_CREATE: size {size:#x}: 0 or too large\n");
            EINVAL
        })?;
    let alignment = data.alignment as usize;
    if alignment != 0 && (!alignment.is_power_of_two() || !(PAGE_SIZE..=SZ_2M).contains(&alignment))
    {
        drm_dbg!(
            dev,
            "GEM_CREATE: alignment {alignment:#x}: not a power of two from a page to 2 MiB\n"
        );
        return Err(EINVAL);
    }
    data.best = best(dev, &data, size, Accessor::Gpu);
    if data.best.is_none() && best(dev, &data, size, Accessor::Cpu).is_none() {
        drm_dbg!(
            dev,
            "GEM_CREATE: size {size:#x}: fits into no place of placement {:#x}\n",
            data.request.mask()
        );
        return Err(ENOSPC);
    }

    data.described = Some(dev.described.add(size as u64).inspect_err(|_| {
        drm_dbg!(
            dev,
            "GEM_CREATE: size {size:#x}: too many bytes in all BOs\n"
        );
    })?);

    if let Some(private) = &mut data.private {
        if data.request.preferred() == MemType::VRAM.as_raw() {
            private.add_bytes(size as u64);
        }
    }
    let guard = resv
        .map(|resv| resv.resv().lock_interruptible())
        .transpose()?;
    let resv = resv.zip(guard.as_deref());
    let bo = Bo::new(
        dev,
        BoInit {
            size,
            alignment_pages: (alignment >> PAGE_SHIFT) as u32,
            resv,
        },
        Ok::<_, Error>(data),
    )?;
    drop(guard);
    if let Some(private) = &bo.private {
        bo.reserve(true)?
            .reserved()
            .set_bulk_move(Some(private.bulk()))?;
    }
    trace::created(&bo);
    Ok(bo)
}

/// Returns the memory type of the best place for an accessor of a BO of `size` bytes.
fn best(dev: &RgtDevice, data: &BoData, size: usize, accessor: Accessor) -> Option<MemType> {
    places(dev, data, size, accessor)
        .as_slice()
        .first()
        .map(Place::mem_type)
}
