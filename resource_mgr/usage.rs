// SPDX-License-Identifier: GPL-2.0

//! The use of the memory regions.

use super::{
    Managers,
    SCRATCHPAD, //
};
use crate::rust::drm::ttm::MemType;

/// The size and use of a memory region, in bytes.
pub(crate) struct RegionUsage {
    /// The region.
    pub(crate) mem_type: MemType,
    /// The size; 0 without a limit.
    pub(crate) size: u64,
    /// The used bytes.
    pub(crate) used: u64,
    /// The size of the part that the CPU sees.
    pub(crate) cpu_visible_size: u64,
    /// The used bytes of that.
    pub(crate) cpu_visible_used: u64,
}

impl Managers {
    /// Returns the use of all regions, given that of system memory.
    pub(crate) fn usage(&self, system_used: u64) -> impl Iterator<Item = RegionUsage> {
        let vram = self.vram.inner();
        let gtt_size = self.gtt.inner().limit();
        let gtt_used = self.gtt.usage();

        [
            Some(RegionUsage {
                mem_type: MemType::SYSTEM,
                size: 0,
                used: system_used,
                cpu_visible_size: 0,
                cpu_visible_used: 0,
            }),
            Some(RegionUsage {
                mem_type: MemType::TT,
                size: gtt_size,
                used: gtt_used,
                cpu_visible_size: gtt_size,
                cpu_visible_used: gtt_used,
            }),
            Some(RegionUsage {
                mem_type: MemType::VRAM,
                size: vram.size(),
                used: self.vram.usage(),
                cpu_visible_size: vram.cpu_visible_size(),
                cpu_visible_used: vram.cpu_visible_used(),
            }),
            self.scratchpad.as_ref().map(|scratchpad| RegionUsage {
                mem_type: SCRATCHPAD,
                size: scratchpad.inner().size(),
                used: scratchpad.usage(),
                cpu_visible_size: 0,
                cpu_visible_used: 0,
            }),
        ]
        .into_iter()
        .flatten()
    }
}
