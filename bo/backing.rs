// SPDX-License-Identifier: GPL-2.0

//! What the GPU sees of a BO: contiguous extents of the GPU's own memory or of
//! system pages.

use core::ops::Range;

use kernel::{
    dma::DmaAddress,
    page::PAGE_SIZE,
    prelude::*, //
};

use super::Reserved;
use crate::{
    hw::Backing,
    resource_mgr::{
        for_each_part,
        OnCard, //
    },
    rust::drm::ttm::MemType, //
};

const PAGE: u64 = PAGE_SIZE as u64;

/// Calls `f` with offset, size and backing of each extent of the bytes `range` of a BO.
///
/// Returns `EINVAL` when the BO is where the GPU does not see it or does not have these bytes.
pub(crate) fn for_each_extent(
    bo: &Reserved<'_>,
    range: Range<u64>,
    mut f: impl FnMut(u64, u64, Backing) -> Result,
) -> Result {
    let res = bo.resource().ok_or(EINVAL)?;
    if range.end > bo.size() as u64 {
        return Err(EINVAL);
    }

    if let Some(card) = OnCard::of(res) {
        return for_each_part(card.extents(), range, |at, offset, size| {
            f(at, size, card.backing(offset))
        });
    }

    if res.mem_type() != MemType::TT {
        return Err(EINVAL);
    }
    let pages = bo.tt().and_then(|tt| tt.dma_addresses()).ok_or(EINVAL)?;
    let first = (range.start / PAGE) as usize;
    let last = range.end.div_ceil(PAGE) as usize;
    let pages = pages.get(first..last).ok_or(EINVAL)?;
    for_each_run(pages, |index, count, address| {
        f(
            (first + index) as u64 * PAGE,
            count as u64 * PAGE,
            Backing::System(address),
        )
    })
}

/// Calls `f` with index, length and address of each run of pages with consecutive addresses.
fn for_each_run(
    pages: &[DmaAddress],
    mut f: impl FnMut(usize, usize, DmaAddress) -> Result,
) -> Result {
    let mut start = 0;
    while let Some(&address) = pages.get(start) {
        let mut count = 1;
        while pages.get(start + count) == Some(&(address + (count as u64) * PAGE)) {
            count += 1;
        }
        f(start, count, address)?;
        start += count;
    }
    Ok(())
}
