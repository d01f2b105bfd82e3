// SPDX-License-Identifier: GPL-2.0

//! Clearing of small new BOs by the CPU.

use kernel::sizes::SZ_4K;

use super::object::BoData;
use crate::{
    resource_mgr::Vram,
    rust::{
        dma_resv::Usage,
        drm::ttm::Move, //
    }, //
};

/// The most bytes that the CPU clears: a job of an engine takes longer.
const MAX_SIZE: usize = SZ_4K;

/// Clears the new VRAM of a BO if it is small, visible and idle. Returns whether it is zero now.
///
/// VRAM may be busy with moves of its previous owners, which TTM adds to the reservation.
pub(super) fn clear_by_cpu(mv: &Move<'_, BoData>) -> bool {
    let Some((vram, res)) = mv.new_resource().of_manager::<Vram>() else {
        return false;
    };
    if mv.bo().size() > MAX_SIZE
        || !res.is_below(vram.cpu_visible_end())
        || !mv.bo().resv().test_signaled(Usage::Kernel)
    {
        return false;
    }

    let map = &mv.bo().bo().device().vram_map;
    for extent in res.dirty_extents() {
        if map
            .zero(extent.offset..extent.offset + extent.size)
            .is_err()
        {
            return false;
        }
    }
    if let Some(clearing) = res.clearing() {
        clearing.done();
    }
    true
}
