// SPDX-License-Identifier: GPL-2.0

//! The GPU's view of a BO's memory.

use core::ops::Range;

use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

use super::object::Reserved;
use crate::{
    resource_mgr::{
        Cursor,
        LocalResource, //
    },
    rust::drm::ttm::MemType, //
};

/// Returns a cursor over the bytes `range` of a BO.
///
/// Returns `EINVAL` when the BO is where the GPU does not see it or does not have these bytes.
pub(crate) fn cursor<'a>(bo: &'a Reserved<'_>, range: Range<u64>) -> Result<Cursor<'a>> {
    let res = bo.resource().ok_or(EINVAL)?;
    if range.end > bo.size() as u64 {
        return Err(EINVAL);
    }
    if let Some(local) = LocalResource::of(res) {
        return Ok(Cursor::local(local, range));
    }
    if res.mem_type() != MemType::TT {
        return Err(EINVAL);
    }

    let pages = bo.tt().and_then(|tt| tt.dma_addresses()).ok_or(EINVAL)?;
    if pages.len() < range.end.div_ceil(PAGE_SIZE as u64) as usize {
        return Err(EINVAL);
    }
    Ok(Cursor::pages(pages, range))
}
