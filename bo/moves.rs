// SPDX-License-Identifier: GPL-2.0

//! Moves of BOs between resources.
//!
//! A copy engine executes a move behind the jobs that use the BO, and no thread waits for it: the
//! move's fence is on the BO's reservation, the old resource is given to others behind that fence,
//! and page-table entries are gone before the copy begins. What is given the old place may be filled
//! by the next copy of the same engine, which the engine begins when this one has ended, and not
//! when the CPU has heard of that.

use kernel::{
    page::PAGE_SHIFT,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Relaxed, //
    }, //
};

use super::{
    advice::Advice,
    clear::clear_by_cpu,
    gpu_unmap::GpuUnmap,
    mappings::{
        invalidate_mappings,
        GpuMappings, //
    },
    migrate::{
        Direction,
        Migration, //
    },
    object::BoData, //
};
use crate::{
    device::RgtDriver,
    fence::Dependencies,
    hw::Gpu,
    resource_mgr::{
        LocalResource,
        SCRATCHPAD, //
    },
    rust::{
        dma_fence::Fence,
        dma_resv::Usage,
        drm::{
            device,
            ttm::{
                Driver,
                MemType,
                Move,
                MoveOutcome,
                Place,
                PlaceFlags,
                Resource, //
            }, //
        }, //
    },
    sched::Queue, //
};

/// The hop between VRAM and system pages that the GPU does not see.
const HOP: Place = Place::new(MemType::TT, PlaceFlags::TEMPORARY);

/// Executes a move: by a copy engine, by the CPU, or with nothing to copy.
pub(super) fn execute<'a>(mut mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    let old = mv.bo().resource().map(Resource::mem_type);
    let new = mv.new_resource().mem_type();
    // A device that may go to sleep gets nothing that it would lose.
    let _awake = match new {
        MemType::VRAM | SCRATCHPAD => Some(mv.bo().bo().device().power.hold()?),
        _ => None,
    };

    match (old, new) {
        (Some(MemType::VRAM | SCRATCHPAD), _) if !mv.bo().advice.is_usable() => move_discarded(mv),
        (Some(MemType::VRAM | SCRATCHPAD), _) if mv.bo().lost.load(Relaxed) => move_lost(mv),
        (None, MemType::VRAM | SCRATCHPAD) if !mv.bo().is_kernel() => move_cleared(mv),
        // TTM allocates zeroed pages, and kernel BOs need none.
        (None, _) => Ok(MoveOutcome::Done(mv.null())),
        (Some(MemType::VRAM | SCRATCHPAD), MemType::SYSTEM)
        | (Some(MemType::SYSTEM), MemType::VRAM | SCRATCHPAD) => Ok(MoveOutcome::Hop(HOP)),
        (Some(MemType::VRAM | SCRATCHPAD), _) | (_, MemType::VRAM | SCRATCHPAD) => move_copied(mv),
        // The pages stay; the GPU must not see them any more.
        (Some(MemType::TT), MemType::SYSTEM) => {
            mv.wait_idle()?;
            invalidate_mappings(mv.bo());
            Ok(MoveOutcome::Done(mv.null()))
        }
        _ => Ok(MoveOutcome::Done(mv.null())),
    }
}

/// Moves a BO without its content, which is not needed.
fn move_discarded<'a>(mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    let bo = mv.bo().bo();

    let outcome = move_lost(mv)?;
    bo.advice.set(Advice::Purged);
    Ok(outcome)
}

/// Moves a BO whose content is lost, and whose memory may not be readable, to zeroed memory.
fn move_lost<'a>(mut mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    mv.wait_idle()?;
    invalidate_mappings(mv.bo());
    if !mv.new_resource().uses_tt() {
        return move_cleared(mv);
    }
    Ok(MoveOutcome::Done(mv.discarded()?))
}

/// Gives a BO its first VRAM. A copy engine clears it behind the moves of its previous owners, unless
/// the CPU clears it at once.
fn move_cleared<'a>(mut mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    if clear_by_cpu(&mv) {
        return Ok(MoveOutcome::Done(mv.null()));
    }
    let device = device::enter(mv.bo().bo().device()).ok_or(ENODEV)?;
    let local = LocalResource::of(mv.new_resource()).ok_or(EINVAL)?;

    let fence = device.registration_data_with(|gpu| {
        let queue = mv.bo().bo().device().queues.copy();
        let mut migration = begin(gpu, &mut mv, queue, Usage::Kernel)?;
        migration.clear(local)?;
        migration.finish()
    })?;
    Ok(MoveOutcome::Done(match fence {
        Some(fence) => mv.null_behind(&fence),
        None => mv.null(),
    }))
}

/// Copies a BO between VRAM and pages, or inside VRAM.
fn move_copied<'a>(mut mv: Move<'a, BoData>) -> Result<MoveOutcome<'a>> {
    let device = device::enter(mv.bo().bo().device()).ok_or(ENODEV)?;

    let fence = device.registration_data_with(|gpu| {
        let queue = mv.bo().bo().device().queues.copy();
        leave_page_tables(&mut mv, queue)?;
        copy(gpu, &mut mv, queue)
    });
    Ok(MoveOutcome::Done(match fence {
        Ok(Some(fence)) => mv.accelerated(&fence)?,
        Ok(None) => mv.copied()?,
        // Neither an engine nor the CPU can read it any more: its content is lost.
        Err(ENODEV) if !mv.bo().resource().is_some_and(is_seen_by_cpu) => {
            mv.bo().bo().lost.store(true, Relaxed);
            return move_lost(mv);
        }
        // No engine runs any more, and none reads page tables.
        Err(ENODEV) => {
            invalidate_mappings(mv.bo());
            mv.memcpy()?
        }
        Err(err) => return Err(err),
    }))
}

/// Returns whether the CPU sees all of the memory behind a resource.
fn is_seen_by_cpu(res: &Resource) -> bool {
    let pages = res.size() >> PAGE_SHIFT;
    let mut page = 0;

    while !res.uses_tt() && page < pages {
        match RgtDriver::io_mem_run(res, page) {
            Some(run) => page += run.pages(),
            None => return false,
        }
    }
    true
}

/// Takes a BO out of page tables: now if no job uses it, or else in a job behind those that do, whose
/// fence is on the reservation then.
fn leave_page_tables(mv: &mut Move<'_, BoData>, queue: &Queue) -> Result {
    if mv.bo().resv().test_signaled(Usage::Bookkeep) {
        invalidate_mappings(mv.bo());
        return Ok(());
    }

    let unmap = GpuUnmap::of(mv.bo().bo())?;
    {
        let resv = mv.locked_resv();
        let mut users = Dependencies::new();
        users.add_resv(&resv, Usage::Bookkeep)?;
        // TTM counts on room for the fence of the move.
        let [slot, _of_move] = resv.reserve_fences()?;
        // Those who map the BO anew wait for it, also if the move fails.
        queue.submit_unmap(unmap, &users, |fence| slot.add(fence, Usage::Kernel))?;
    }
    mappings(mv).evict(mv.bo());
    Ok(())
}

/// Returns the GPU's mappings of the BOs of a move's device.
fn mappings(mv: &Move<'_, BoData>) -> &'static dyn GpuMappings {
    mv.bo().bo().device().gpu_mappings
}

/// Submits the copy that a move is.
fn copy(gpu: &Gpu, mv: &mut Move<'_, BoData>, queue: &Queue) -> Result<Option<ARef<Fence>>> {
    let mut migration = begin(gpu, mv, queue, Usage::Bookkeep)?;

    let old = mv.bo().resource().and_then(LocalResource::of);
    let new = LocalResource::of(mv.new_resource());
    let pages = || mv.bo().tt().and_then(|tt| tt.dma_addresses()).ok_or(EINVAL);
    match (old, new) {
        (Some(old), Some(new)) => migration.copy_local(old, new),
        (Some(local), None) => migration.copy(local, pages()?, Direction::ToPages),
        (None, Some(local)) => migration.copy(local, pages()?, Direction::FromPages),
        (None, None) => Err(EINVAL),
    }?;
    migration.finish()
}

/// Begins a migration of a BO behind all of its fences up to `usage`.
///
/// The fences of the previous owners of its new place are among them: TTM adds them to the
/// reservation.
fn begin<'gpu, 'bo: 'gpu>(
    gpu: &'gpu Gpu,
    mv: &mut Move<'bo, BoData>,
    queue: &'gpu Queue,
    usage: Usage,
) -> Result<Migration<'gpu>> {
    let mut dependencies = Dependencies::new();

    dependencies.add_resv(&mv.locked_resv(), usage)?;
    Ok(Migration::new(gpu, queue, dependencies, &mv.bo().bo().lost))
}
