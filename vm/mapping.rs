// SPDX-License-Identifier: GPL-2.0

//! The memory behind a mapping.

use core::ops::Range;

use kernel::prelude::*;

use super::data::VmData;
use crate::{
    bo::{
        cursor,
        Reserved, //
    },
    hw::Backing,
    rust::drm::gpuvm::Mapping, //
};

/// Returns the addresses and the backing of each contiguous segment of a mapping. `EINVAL` where the
/// GPU does not see the BO.
pub(super) fn segments<'a>(
    bo: &'a Reserved<'_>,
    mapping: &Mapping<VmData>,
) -> Result<impl Iterator<Item = (Range<u64>, Backing)> + 'a> {
    let va = mapping.range();
    let start = mapping.offset();
    let bytes = start..start + (va.end - va.start);

    Ok(cursor(bo, bytes)?.map(move |segment| {
        let at = va.start + (segment.at - start);
        (at..at + segment.size, segment.backing)
    }))
}
