// SPDX-License-Identifier: GPL-2.0

//! Moves of BOs.

use super::{
    migrate::{
        clear,
        copy_within_vram,
        Direction, //
    },
    BoData, //
};
use crate::{
    resource_mgr::Vram,
    rust::drm::{
        device,
        ttm::{
            MemType,
            Move,
            MoveOutcome,
            Place,
            PlaceFlags,
            Resource, //
        }, //
    },
    vm, //
};
use kernel::prelude::*;

/// The stop between VRAM and system pages that the GPU does not see.
const HOP: Place = Place::new(MemType::TT, PlaceFlags::TEMPORARY);

/// Moves a BO, see [`ttm::Driver::move_bo()`](crate::rust::drm::ttm::Driver::move_bo).
pub(super) fn move_bo<'a>(mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    let old = mv.bo.resource().map(Resource::mem_type);
    let new = mv.new_resource().mem_type();

    match (old, new) {
        (None, MemType::VRAM) => move_cleared(mv),
        // TTM makes pages that read as zeros.
        (None, _) => Ok(MoveOutcome::Done(mv.null())),
        (Some(MemType::VRAM), MemType::SYSTEM) | (Some(MemType::SYSTEM), MemType::VRAM) => {
            Ok(MoveOutcome::Hop(HOP))
        }
        (Some(MemType::VRAM), _) | (_, MemType::VRAM) => move_copied(mv),
        // The pages stay; what the GPU must not see any more, no VM maps any more.
        (Some(MemType::TT), MemType::SYSTEM) => {
            mv.bo.wait_idle(mv.ctx)?;
            vm::zap(mv.bo.bo());
            Ok(MoveOutcome::Done(mv.null()))
        }
        _ => Ok(MoveOutcome::Done(mv.null())),
    }
}

/// Gives a BO its first VRAM, which the copy engine clears.
///
/// Waits for that: a VM's page tables serve jobs that wait for no fence of this BO, and a clear
/// that failed must not go unnoticed.
fn move_cleared<'a>(mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    let device = device::enter(mv.bo.bo().device()).ok_or(ENODEV)?;
    let (_, vram) = mv.new_resource().of_manager::<Vram>().ok_or(EINVAL)?;

    device.registration_data_with(|gpu| clear(gpu, vram.extents()))?;
    Ok(MoveOutcome::Done(mv.null()))
}

/// Copies a BO between VRAM and pages, or inside VRAM.
fn move_copied<'a>(mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    let device = device::enter(mv.bo.bo().device()).ok_or(ENODEV)?;

    // From here on nobody uses the BO, and nobody starts to: jobs need its reservation.
    mv.bo.wait_idle(mv.ctx)?;
    vm::zap(mv.bo.bo());

    let old = mv.bo.resource().and_then(|res| res.of_manager::<Vram>());
    let new = mv.new_resource().of_manager::<Vram>();
    let pages = || mv.bo.tt().and_then(|tt| tt.dma_addresses()).ok_or(EINVAL);
    device.registration_data_with(|gpu| match (old, new) {
        (Some((_, old)), Some((_, new))) => copy_within_vram(gpu, old.extents(), new.extents()),
        (Some((_, vram)), None) => {
            device
                .window
                .lock()
                .copy(gpu, vram.extents(), pages()?, Direction::ToPages)
        }
        (None, Some((_, vram))) => {
            device
                .window
                .lock()
                .copy(gpu, vram.extents(), pages()?, Direction::ToVram)
        }
        (None, None) => Err(EINVAL),
    })?;
    Ok(MoveOutcome::Done(mv.copied()?))
}
