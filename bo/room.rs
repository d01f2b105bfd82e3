// SPDX-License-Identifier: GPL-2.0

//! Room for all BOs of a job at once.
//!
//! TTM evicts no BO whose reservation the job itself holds. So it finds no room for a BO that must
//! be in VRAM where the job's own BOs are, though those may be elsewhere, or leave holes that are
//! too small. Here they make room for each other.

use core::{
    cmp::Reverse,
    ptr, //
};

use kernel::prelude::*;

use super::{
    evict::evict_placement,
    object::{
        Bo,
        Reserved, //
    },
    places::gpu_places,
    stats::MoveReason,
    validate::validate, //
};
use crate::{
    device::RgtDevice,
    placement::{
        Accessor,
        Places, //
    },
    resource_mgr::SCRATCHPAD,
    rust::drm::{
        exec::ExecLocks,
        ttm::{
            MemType,
            OperationCtx,
            Placement,
            Resource, //
        }, //
    }, //
};

/// The effort to find room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Other jobs look for room at the same time. Where they hold what would make room, the job
    /// moves none of its own BOs for that.
    Shared,
    /// No other job looks for room.
    Alone,
}

/// Validates the BOs of a job, whose reservations `locks` has, for the GPU: those first that can be
/// in one place only.
///
/// The errors are those of [`validate()`]. `ENOSPC` without any move when the BOs that can be in one
/// place only are larger than that.
pub(crate) fn validate_all<'a>(
    locks: &mut ExecLocks<'_>,
    bos: impl Iterator<Item = &'a Bo> + Clone,
    effort: Effort,
    ctx: &mut OperationCtx,
) -> Result {
    check_sizes(bos.clone())?;

    for confined in [true, false] {
        for bo in bos.clone() {
            if bo.request.only_gpu_region().is_some() != confined {
                continue;
            }
            match validate(&mut Reserved::of_exec(locks, bo)?, Accessor::Gpu, ctx) {
                Err(ENOSPC) if effort == Effort::Alone => make_room(locks, bos.clone(), bo, ctx)?,
                done => done?,
            }
        }
    }
    Ok(())
}

/// Checks that no region is too small for the BOs that can be nowhere else.
fn check_sizes<'a>(bos: impl Iterator<Item = &'a Bo>) -> Result {
    let mut sums = [0u64; MemType::COUNT];

    for bo in bos {
        let Some(mem_type) = bo.request.only_gpu_region() else {
            continue;
        };
        let sum = &mut sums[mem_type.as_raw() as usize];
        *sum = sum.saturating_add(bo.size() as u64);
        if *sum > bo.device().managers.size(mem_type) {
            return Err(ENOSPC);
        }
    }
    Ok(())
}

/// Validates a BO that has found no room, by moving other BOs of the job out of its way.
fn make_room<'a>(
    locks: &mut ExecLocks<'_>,
    bos: impl Iterator<Item = &'a Bo> + Clone,
    needy: &Bo,
    ctx: &mut OperationCtx,
) -> Result {
    let wanted = gpu_places(&mut Reserved::of_exec(locks, needy)?);
    let mut missing = missing(needy.device(), &wanted, needy.size() as u64);
    let mut moved = false;

    for bo in bos.clone().filter(|&bo| !ptr::eq(bo, needy)) {
        let mut bo = Reserved::of_exec(locks, bo)?;
        if !step_aside(&mut bo, &wanted, ctx)? {
            continue;
        }
        moved = true;
        missing = missing.saturating_sub(bo.size() as u64);
        if missing == 0 {
            match validate(&mut Reserved::of_exec(locks, needy)?, Accessor::Gpu, ctx) {
                Err(ENOSPC) => {}
                done => return done,
            }
        }
    }
    if moved && missing != 0 {
        match validate(&mut Reserved::of_exec(locks, needy)?, Accessor::Gpu, ctx) {
            Err(ENOSPC) => {}
            done => return done,
        }
    }
    if is_particular(needy) {
        return pack(locks, bos, ctx);
    }
    Err(ENOSPC)
}

/// Returns how many of `size` bytes are more than what is free in the first of some places.
fn missing(dev: &RgtDevice, wanted: &Places, size: u64) -> u64 {
    let free = wanted
        .as_slice()
        .first()
        .map_or(0, |place| dev.managers.free(place.mem_type()));

    size.saturating_sub(free)
}

/// Moves a BO to a place where it is not in the way of one that wants to be in one of `wanted`.
/// Returns whether it had to and there was one with room.
fn step_aside(bo: &mut Reserved<'_>, wanted: &Places, ctx: &mut OperationCtx) -> Result<bool> {
    let here = bo.resource().map(Resource::mem_type);
    let in_the_way = bo.pin_count() == 0
        && wanted
            .as_slice()
            .iter()
            .any(|place| Some(place.mem_type()) == here && bo.intersects(Some(place)));
    if !in_the_way {
        return Ok(false);
    }
    let elsewhere = gpu_places(bo).without(wanted);
    if elsewhere.as_slice().is_empty() {
        return Ok(false);
    }

    let _moving = bo.bo().record.moving(MoveReason::Evict);
    match bo.validate(&Placement::new(elsewhere.as_slice()), ctx) {
        Ok(()) => Ok(true),
        Err(ENOSPC) => Ok(false),
        Err(err) => Err(err),
    }
}

/// Returns whether a BO may find no room though there is as much free memory as it needs.
fn is_particular(bo: &Bo) -> bool {
    bo.request.is_contiguous() || bo.request.needs_visible() || bo.alignment != 0
}

/// Brings the BOs of a job to where they have to be from where they leave no holes: all of them leave
/// device-local memory, and come back, those first that are the hardest to find room for.
fn pack<'a>(
    locks: &mut ExecLocks<'_>,
    bos: impl Iterator<Item = &'a Bo> + Clone,
    ctx: &mut OperationCtx,
) -> Result {
    let mut order = KVVec::new();

    for bo in bos {
        order.push(bo, GFP_KERNEL)?;
        let mut bo = Reserved::of_exec(locks, bo)?;
        let local = bo
            .resource()
            .is_some_and(|res| matches!(res.mem_type(), MemType::VRAM | SCRATCHPAD));
        if local && bo.pin_count() == 0 {
            let _moving = bo.bo().record.moving(MoveReason::Evict);
            let places = evict_placement(&bo);
            bo.validate(&Placement::new(places), ctx)?;
        }
    }
    order.sort_unstable_by_key(|bo| {
        let request = &bo.request;
        Reverse((
            request.only_gpu_region().is_some(),
            request.is_contiguous(),
            request.needs_visible(),
            bo.size(),
        ))
    });
    for bo in order {
        validate(&mut Reserved::of_exec(locks, bo)?, Accessor::Gpu, ctx)?;
    }
    Ok(())
}
