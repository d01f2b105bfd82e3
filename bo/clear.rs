// SPDX-License-Identifier: GPL-2.0

//! Clearing of new BOs by the CPU.

use kernel::sizes::SZ_4K;

use super::object::BoData;
use crate::{
    resource_mgr::Vram,
    rust::{
        dma_resv::Usage,
        drm::ttm::Move, //
    }, //
};

/// Bytes up to which it takes longer to have an engine do it and to wait for that.
const MOST: usize = SZ_4K;

/// Clears VRAM that a BO gets if it is little, if the CPU sees it and if nobody uses it any more.
/// Returns whether it is all zeros now.
///
/// Those who may still use it are who had it before: TTM puts their moves on the reservation.
pub(super) fn clear_by_cpu(mv: &Move<'_, BoData>) -> bool {
    let Some((vram, res)) = mv.new_resource().of_manager::<Vram>() else {
        return false;
    };
    if mv.bo.size() > MOST
        || !res.is_below(vram.visible_size())
        || !mv.bo.resv().test_signaled(Usage::Kernel)
    {
        return false;
    }

    let map = &mv.bo.bo().device().vram_map;
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
