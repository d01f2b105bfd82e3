// SPDX-License-Identifier: GPL-2.0

//! What is behind the addresses of a mapping.

use core::ops::Range;

use kernel::prelude::*;

use super::VmData;
use crate::{
    bo::{
        for_each_extent,
        Reserved, //
    },
    hw::Backing,
    rust::drm::gpuvm::Mapping, //
};

/// Calls `f` with the addresses and the backing of each piece of a mapping that is contiguous.
pub(super) fn for_each_piece(
    bo: &Reserved<'_>,
    mapping: &Mapping<VmData>,
    mut f: impl FnMut(Range<u64>, Backing) -> Result,
) -> Result {
    let va = mapping.range();
    let start = mapping.offset();
    let bytes = start..start + (va.end - va.start);

    for_each_extent(bo, bytes, |offset, size, backing| {
        let at = va.start + (offset - start);
        f(at..at + size, backing)
    })
}
