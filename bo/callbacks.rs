// SPDX-License-Identifier: GPL-2.0

//! What TTM asks about BOs, but for moves.

use kernel::prelude::*;

use super::{
    trace,
    validate,
    validate::check_content,
    Reserved, //
};
use crate::{
    placement::User,
    resource_mgr::Vram,
    rust::drm::ttm::{
        MemType,
        OperationCtx,
        Place,
        PlaceFlags, //
    }, //
};

/// Where BOs evicted from memory of the GPU's own go: pages that the GPU still sees, while the limit allows.
static FROM_OWN: [Place; 2] = [
    Place::new(MemType::TT, PlaceFlags::DESIRED),
    Place::new(MemType::SYSTEM, PlaceFlags::FALLBACK),
];

/// Where all others go.
static FROM_PAGES: [Place; 1] = [Place::new(MemType::SYSTEM, PlaceFlags::NONE)];

/// Where an evicted BO goes.
pub(crate) fn evict_placement(bo: &Reserved<'_>) -> &'static [Place] {
    trace::evicted(bo);
    match bo.resource() {
        _ if !bo.advice.is_usable() => &FROM_PAGES,
        Some(res) if !res.uses_tt() => &FROM_OWN,
        _ => &FROM_PAGES,
    }
}

/// Moves a BO into the visible part of VRAM, or to system pages, unless the CPU can map it where it is.
///
/// Returns `EFAULT` for one whose content is not needed.
pub(crate) fn prepare_fault(bo: &mut Reserved<'_>, ctx: &mut OperationCtx) -> Result {
    check_content(bo)?;
    let mappable = bo
        .resource()
        .is_some_and(|res| match res.of_manager::<Vram>() {
            Some((manager, vram)) => vram.is_below(manager.visible_size()),
            None => res.uses_tt(),
        });
    if mappable {
        return Ok(());
    }

    validate(bo, User::Cpu, ctx)
}
