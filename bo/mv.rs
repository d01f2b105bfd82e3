// SPDX-License-Identifier: GPL-2.0

//! Moves of BOs.
//!
//! The copy engines do them, after the jobs that use a BO and without anybody waiting: the fence
//! of a move is on the BO's reservation, the old place is given to others behind it, and page
//! tables lose their entries before it signals.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Relaxed, //
    }, //
};

use super::{
    clear::clear_by_cpu,
    madvise::discard,
    migrate::{
        Direction,
        Migration, //
    },
    BoData, //
};
use crate::{
    fence::Dependencies,
    hw::{
        DeferredUnmaps,
        Gpu, //
    },
    resource_mgr::{
        OnCard,
        SCRATCHPAD, //
    },
    rust::{
        dma_fence::Fence,
        dma_resv::Usage,
        drm::{
            device,
            ttm::{
                MemType,
                Move,
                MoveOutcome,
                Place,
                PlaceFlags,
                Resource, //
            }, //
        }, //
    },
    vm, //
};

/// The stop between VRAM and system pages that the GPU does not see.
const HOP: Place = Place::new(MemType::TT, PlaceFlags::TEMPORARY);

/// Moves a BO, see [`ttm::Driver::move_bo()`](crate::rust::drm::ttm::Driver::move_bo).
pub(super) fn move_bo<'a>(mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    let old = mv.bo.resource().map(Resource::mem_type);
    let new = mv.new_resource().mem_type();

    match (old, new) {
        (Some(MemType::VRAM | SCRATCHPAD), _) if !mv.bo.advice.is_usable() => discard(mv),
        (Some(MemType::VRAM | SCRATCHPAD), _) if mv.bo.lost.load(Relaxed) => move_lost(mv),
        (None, MemType::VRAM | SCRATCHPAD) if !mv.bo.is_kernel() => move_cleared(mv),
        // TTM makes pages that read as zeros, and BOs of the kernel need not.
        (None, _) => Ok(MoveOutcome::Done(mv.null())),
        (Some(MemType::VRAM | SCRATCHPAD), MemType::SYSTEM)
        | (Some(MemType::SYSTEM), MemType::VRAM | SCRATCHPAD) => Ok(MoveOutcome::Hop(HOP)),
        (Some(MemType::VRAM | SCRATCHPAD), _) | (_, MemType::VRAM | SCRATCHPAD) => move_copied(mv),
        // The pages stay; what the GPU must not see any more, no VM maps any more.
        (Some(MemType::TT), MemType::SYSTEM) => {
            mv.bo.wait_idle(mv.ctx)?;
            vm::zap(mv.bo.bo());
            Ok(MoveOutcome::Done(mv.null()))
        }
        _ => Ok(MoveOutcome::Done(mv.null())),
    }
}

/// Moves a BO without what it holds, which is not its content, and which may not be readable.
fn move_lost<'a>(mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    mv.bo.wait_idle(mv.ctx)?;
    vm::zap(mv.bo.bo());
    Ok(MoveOutcome::Done(mv.discarded()?))
}

/// Gives a BO its first VRAM, which a copy engine clears after those had it who had it before,
/// unless the CPU does it at once.
fn move_cleared<'a>(mut mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    if clear_by_cpu(&mv) {
        return Ok(MoveOutcome::Done(mv.null()));
    }
    let device = device::enter(mv.bo.bo().device()).ok_or(ENODEV)?;
    let card = OnCard::of(mv.new_resource()).ok_or(EINVAL)?;

    let fence = device.registration_data_with(|gpu| {
        let mut migration = begin(gpu, &mut mv, Usage::Kernel)?;
        migration.clear(card)?;
        migration.finish(None)
    })?;
    Ok(MoveOutcome::Done(match fence {
        Some(fence) => mv.null_behind(&fence),
        None => mv.null(),
    }))
}

/// Copies a BO between VRAM and pages, or inside VRAM.
fn move_copied<'a>(mut mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    let device = device::enter(mv.bo.bo().device()).ok_or(ENODEV)?;

    let fence = device.registration_data_with(|gpu| {
        let unmaps = leave(&mv, gpu)?;
        let fence = copy(gpu, &mut mv, unmaps)?;
        vm::mark_stale(&mv.bo);
        Ok(fence)
    });
    Ok(MoveOutcome::Done(match fence {
        Ok(Some(fence)) => mv.accelerated(&fence)?,
        Ok(None) => mv.copied()?,
        // No engine runs any more, nor does anything read page tables.
        Err(ENODEV) => {
            vm::zap(mv.bo.bo());
            mv.memcpy()?
        }
        Err(err) => return Err(err),
    }))
}

/// Has the GPU lose sight of a BO where it is: now if no job uses it, or else when none does any
/// more.
fn leave(mv: &Move<'_, BoData>, gpu: &Gpu) -> Result<Option<DeferredUnmaps>> {
    if mv.bo.resv().test_signaled(Usage::Bookkeep) {
        vm::zap(mv.bo.bo());
        return Ok(None);
    }
    vm::deferred_zap(&mv.bo, gpu).map(Some)
}

/// Submits the copy that a move is.
fn copy(
    gpu: &Gpu,
    mv: &mut Move<'_, BoData>,
    unmaps: Option<DeferredUnmaps>,
) -> Result<Option<ARef<Fence>>> {
    let mut migration = begin(gpu, mv, Usage::Bookkeep)?;

    let windows = &mv.bo.device().windows;
    let old = mv.bo.resource().and_then(OnCard::of);
    let new = OnCard::of(mv.new_resource());
    let pages = || mv.bo.tt().and_then(|tt| tt.dma_addresses()).ok_or(EINVAL);
    match (old, new) {
        (Some(old), Some(new)) => migration.copy_on_card(old, new),
        (Some(card), None) => migration.copy(windows, card, pages()?, Direction::ToPages),
        (None, Some(card)) => migration.copy(windows, card, pages()?, Direction::FromPages),
        (None, None) => Err(EINVAL),
    }?;
    migration.finish(unmaps)
}

/// Begins a migration of a BO behind all of its fences up to `usage`.
///
/// Those of the BOs whose place it gets are among them: TTM puts them on the reservation.
fn begin<'gpu, 'bo: 'gpu>(
    gpu: &'gpu Gpu,
    mv: &mut Move<'bo, BoData>,
    usage: Usage,
) -> Result<Migration<'gpu>> {
    let queue = mv.bo.bo().device().queues.copy();
    let mut dependencies = Dependencies::new();

    dependencies.add_resv(&mv.bo.locked_resv(), usage)?;
    Ok(Migration::new(gpu, queue, dependencies, &mv.bo.lost))
}
