// SPDX-License-Identifier: GPL-2.0

//! Bringing a BO to where its user reaches it.

use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

use super::{
    places,
    trace,
    Bo,
    BoData,
    MoveReason,
    Reserved, //
};
use crate::{
    placement::{
        Claim,
        Standing,
        User, //
    },
    rust::{
        dma_resv::Usage,
        drm::ttm::{
            MemType,
            OperationCtx,
            Place,
            PlaceFlags,
            Placement,
            Priority,
            Resource, //
        }, //
    }, //
};

/// BOs in VRAM whose uses do not justify that: they are evicted first.
const COLD: Priority = Priority::LOWEST;
/// All others.
const HOT: Priority = Priority::new::<1>();

/// Brings a BO to where its user can reach it, and makes it the last to be evicted.
///
/// The move may be under way when this returns: its fence is on the reservation.
///
/// Returns `EINVAL` when the BO has no such place, `ENOSPC` when no place has room, `ENOMEM` when
/// the system has no memory, `EIO` when its content was lost, `EFAULT` when that is not needed.
pub(crate) fn validate(bo: &mut Reserved<'_>, user: User, ctx: &mut OperationCtx) -> Result {
    check_content(bo)?;
    // It stays where somebody else needs it.
    if bo.pin_count() != 0 {
        bo.touch();
        return Ok(());
    }
    let user = match user {
        User::Gpu if bo.request.allows_gtt() && bo.is_shared_as_pages() => User::Other,
        user => user,
    };
    let places = places(bo.device(), bo.bo(), bo.size(), user);
    let places = places.as_slice();
    let best = places.first().ok_or(EINVAL)?;

    let moving = bo.bo().record.moving(match user {
        User::Cpu => MoveReason::Fault,
        User::Gpu | User::Peer | User::Other => MoveReason::Validate,
    });
    let done = if best.mem_type() == MemType::VRAM {
        validate_in_vram(bo, places, ctx)
    } else {
        bo.validate(&Placement::new(places), ctx).map(|()| HOT)
    };
    drop(moving);
    trace::validated(bo, user, done.map(drop));
    bo.touch_as(done?);
    Ok(())
}

/// `EFAULT` if the content of a BO is not needed, `EIO` if what it holds is not its content.
pub(crate) fn check_content(bo: &Bo) -> Result {
    if !bo.advice.is_usable() {
        return Err(EFAULT);
    }
    // It was set before the fence signalled that made somebody look.
    if bo.lost.load(Relaxed) {
        return Err(EIO);
    }
    Ok(())
}

/// Whether a BO may be evicted to make room in a place, or for no particular place.
pub(crate) fn eviction_valuable(bo: &Reserved<'_>, place: Option<&Place>) -> bool {
    let justified = match place.and_then(|place| Claim::from_hint(place.hint())) {
        Some(claim) => {
            let policy = bo.device().arbiter.policy();
            (!bo.advice.is_usable()
                || policy.is_none_or(|policy| policy.yields(&bo.history, claim)))
                && bo.resv().test_signaled(Usage::Bookkeep)
                && !bo.is_protected()
        }
        // It has to be somewhere.
        None => true,
    };

    justified && bo.intersects(place)
}

fn is_in_vram(bo: &Reserved<'_>) -> bool {
    bo.resource().map(Resource::mem_type) == Some(MemType::VRAM)
}

/// Validates a BO whose first place is VRAM. Returns how late it is to be evicted.
fn validate_in_vram(
    bo: &mut Reserved<'_>,
    places: &[Place],
    ctx: &mut OperationCtx,
) -> Result<Priority> {
    let data: &BoData = bo.bo();
    let arbiter = &bo.bo().device().arbiter;
    if let Some(policy) = arbiter.policy() {
        policy.used(&data.history, bo.size() as u64);
    }

    if is_in_vram(bo) {
        bo.validate(&Placement::new(places), ctx)?;
        return Ok(if bo.priority() == HOT || claim(bo).is_some() {
            HOT
        } else {
            COLD
        });
    }

    let (vram, others) = places.split_first().ok_or(EINVAL)?;
    // A BO that may be nowhere else has to come, and one without memory costs no copy.
    let voluntary = !others.is_empty() && bo.resource().is_some();
    if voluntary && !arbiter.may_come_back() {
        bo.validate(&Placement::new(others), ctx)?;
        return Ok(HOT);
    }

    // Pages that the GPU does not see come by way of others that it does.
    let way = match bo.resource().map(Resource::mem_type) {
        Some(MemType::SYSTEM) => 2,
        _ => 1,
    };
    let before = ctx.bytes_moved();
    let gently = match claim(bo) {
        Some(claim) => validate_for(bo, vram, claim)?,
        None => 0,
    };
    let done = if is_in_vram(bo) {
        Ok(())
    } else {
        bo.validate(&Placement::new(places), ctx)
    };
    let moved = ctx.bytes_moved() - before;

    if voluntary {
        arbiter.came_back(gently + moved);
    }
    done?;
    // Others had to go who had the better right.
    let forced = arbiter.policy().is_some() && moved > way * bo.size() as u64;
    Ok(if forced { COLD } else { HOT })
}

/// What a BO outside of the hot ones in VRAM can claim.
fn claim(bo: &Reserved<'_>) -> Option<Claim> {
    let dev = bo.bo().device();
    let Some(policy) = dev.arbiter.policy() else {
        return Some(Claim::ANY);
    };
    let oldest: Option<Standing> = dev
        .ttm
        .with_oldest(MemType::VRAM, HOT, |other| policy.standing(&other.history));

    policy.claim(&bo.history, oldest)
}

/// Has TTM evict BOs for a claim, and brings a BO into VRAM if that makes enough room. Returns the
/// bytes that were moved.
///
/// Waits for nobody: TTM may only wait for a reservation once, since that can end in the demand to
/// give up all others, and that once is for those that have no other way.
fn validate_for(bo: &mut Reserved<'_>, vram: &Place, claim: Claim) -> Result<u64> {
    let place = vram
        .without(PlaceFlags::DESIRED | PlaceFlags::FALLBACK)
        .with_hint(claim.hint());
    let mut ctx = OperationCtx::no_wait();

    match bo.validate(&Placement::new(&[place]), &mut ctx) {
        Ok(()) | Err(ENOSPC | ENOMEM | EBUSY) => Ok(ctx.bytes_moved()),
        Err(err) => Err(err),
    }
}
