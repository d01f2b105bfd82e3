// SPDX-License-Identifier: GPL-2.0

//! What the memory regions are called, wherever one reads of them.

use kernel::prelude::*;

use super::SCRATCHPAD;
use crate::rust::drm::ttm::MemType;

/// The types of memory and their names, in the order of their numbers: those of
/// `DRM_RGT_REGION_*`.
pub(crate) const REGIONS: [(MemType, &CStr); 4] = [
    (MemType::SYSTEM, c"system"),
    (MemType::TT, c"gtt"),
    (MemType::VRAM, c"vram"),
    (SCRATCHPAD, c"scratchpad"),
];

/// Returns the name of a type of memory.
pub(crate) fn region_name(mem_type: MemType) -> &'static CStr {
    REGIONS
        .iter()
        .find(|(region, _)| *region == mem_type)
        .map_or(c"none", |(_, name)| name)
}
