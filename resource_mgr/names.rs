// SPDX-License-Identifier: GPL-2.0

//! The names of the memory regions.

use kernel::prelude::*;

use super::SCRATCHPAD;
use crate::rust::{
    bindings::{
        DRM_RGT_REGION_GTT,
        DRM_RGT_REGION_SCRATCHPAD,
        DRM_RGT_REGION_SYSTEM,
        DRM_RGT_REGION_VRAM, //
    },
    drm::ttm::MemType, //
};

/// The types of memory and their names, in the order of their numbers: those of
/// `DRM_RGT_REGION_*`.
pub(crate) const REGIONS: [(MemType, &CStr); 4] = [
    (MemType::SYSTEM, c"system"),
    (MemType::TT, c"gtt"),
    (MemType::VRAM, c"vram"),
    (SCRATCHPAD, c"scratchpad"),
];

const _: () = {
    assert!(MemType::SYSTEM.as_raw() == DRM_RGT_REGION_SYSTEM);
    assert!(MemType::TT.as_raw() == DRM_RGT_REGION_GTT);
    assert!(MemType::VRAM.as_raw() == DRM_RGT_REGION_VRAM);
    assert!(SCRATCHPAD.as_raw() == DRM_RGT_REGION_SCRATCHPAD);
};

/// Returns the name of a type of memory.
pub(crate) fn region_name(mem_type: MemType) -> &'static CStr {
    REGIONS
        .iter()
        .find(|(region, _)| *region == mem_type)
        .map_or(c"none", |(_, name)| name)
}
