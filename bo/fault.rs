// SPDX-License-Identifier: GPL-2.0

//! CPU page faults.

use kernel::prelude::*;

use super::{
    object::Reserved,
    validate::{
        check_content,
        validate, //
    }, //
};
use crate::{
    placement::Accessor,
    resource_mgr::Vram,
    rust::drm::ttm::OperationCtx, //
};

/// Moves a BO into visible VRAM, or to system pages, unless the CPU can map it where it is.
///
/// The device is resumed for that if it sleeps. It need not stay awake for the CPU's mapping: nothing
/// is in VRAM while it sleeps, and the mapping goes before the BO does.
///
/// Returns `EFAULT` for a BO whose content is not needed.
pub(super) fn prepare_fault(bo: &mut Reserved<'_>, ctx: &mut OperationCtx) -> Result {
    check_content(bo)?;
    let mappable = bo
        .resource()
        .is_some_and(|res| match res.of_manager::<Vram>() {
            Some((manager, vram)) => vram.is_below(manager.cpu_visible_end()),
            None => res.uses_tt(),
        });
    if mappable {
        return Ok(());
    }

    let _awake = match bo.request.allows_local() {
        true => Some(bo.bo().device().power.resume_and_get()?),
        false => None,
    };
    validate(bo, Accessor::Cpu, ctx)
}
