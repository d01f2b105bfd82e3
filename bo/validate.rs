// SPDX-License-Identifier: GPL-2.0

//! Validation of BOs: bringing them to where an accessor reaches them.

use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

use super::{
    object::{
        Bo,
        Reserved, //
    },
    places::{
        gpu_places,
        places, //
    },
    stats::MoveReason,
    trace, //
};
use crate::{
    device::RgtDevice,
    placement::{
        self,
        admit,
        Accessor,
        Candidate,
        Claim,
        Class,
        History,
        Purpose,
        Recency,
        ScanResistant, //
    },
    rust::drm::{
        print::drm_dbg,
        ttm::{
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

/// The priority of cold BOs on the LRU.
pub(super) const COLD: Priority = Priority::LOWEST;
/// The priority of hot ones.
const HOT: Priority = Priority::new::<1>();
/// The priority of those that user space has evicted after all others.
const HIGH: Priority = Priority::new::<2>();

/// Returns the LRU priority of a BO of a class.
pub(super) fn priority(bo: &Bo, class: Class) -> Priority {
    match (bo.request.priority(), class) {
        (placement::Priority::Low, _) | (placement::Priority::Normal, Class::Cold) => COLD,
        (placement::Priority::Normal, Class::Hot) => HOT,
        (placement::Priority::High, _) => HIGH,
    }
}

/// Validates a BO: brings it to where an accessor reaches it, and makes it the most recently used.
///
/// The move may be under way when this returns: its fence is on the reservation.
///
/// Returns `EINVAL` when the BO has no such place, `ENOSPC` when no place has room, `ENOMEM` when
/// the system has no memory, `EIO` when its content was lost, `EFAULT` when that is not needed.
pub(crate) fn validate(
    bo: &mut Reserved<'_>,
    accessor: Accessor,
    ctx: &mut OperationCtx,
) -> Result {
    check_content(bo)?;
    // A pinned BO stays.
    if bo.pin_count() != 0 {
        bo.touch();
        return Ok(());
    }
    let places = match accessor {
        Accessor::Gpu => gpu_places(bo),
        accessor => places(bo.device(), bo.bo(), bo.size(), accessor),
    };
    let places = places.as_slice();
    let best = places.first().ok_or_else(|| {
        drm_dbg!(
            bo.device(),
            "BO {}: placement {:#x}: no place for {accessor:?}\n",
            bo.record.id(),
            bo.request.mask()
        );
        EINVAL
    })?;

    let moving = bo.bo().record.moving(match accessor {
        Accessor::Cpu => MoveReason::Fault,
        Accessor::Gpu | Accessor::Peer | Accessor::NonPeer => MoveReason::Validate,
    });
    let done = if best.mem_type() == MemType::VRAM {
        let policy = bo.bo().device().eviction_policy.scan_resistant();
        admit(policy, &mut VramCandidate { bo, places, ctx })
    } else {
        bo.validate(&Placement::new(places), ctx)
            .map(|()| Class::Hot)
    };
    drop(moving);
    trace::validated(bo, accessor, done.map(drop));
    bo.touch_as(priority(bo.bo(), done?));
    Ok(())
}

/// Brings a BO to a region, where the GPU reaches it.
///
/// `EINVAL` when that is none of its places, and the errors of [`validate()`].
pub(crate) fn prefetch(bo: &mut Reserved<'_>, region: MemType, ctx: &mut OperationCtx) -> Result {
    check_content(bo)?;
    let places = places(bo.device(), bo.bo(), bo.size(), Accessor::Gpu);
    let place = places
        .as_slice()
        .iter()
        .find(|place| place.mem_type() == region)
        .ok_or_else(|| {
            drm_dbg!(
                bo.device(),
                "BO {}: placement {:#x}: not in {region:?}\n",
                bo.record.id(),
                bo.request.mask()
            );
            EINVAL
        })?
        .without(PlaceFlags::DESIRED | PlaceFlags::FALLBACK);

    let moving = bo.bo().record.moving(MoveReason::Validate);
    let done = bo.validate(&Placement::new(&[place]), ctx);
    drop(moving);
    trace::validated(bo, Accessor::Gpu, done);
    done?;
    bo.touch_as(HOT);
    Ok(())
}

/// Returns whether a BO is not where jobs should best find it, or is the next to go there.
pub(crate) fn is_displaced(bo: &mut Reserved<'_>) -> bool {
    let places = gpu_places(bo);
    let Some(best) = places.as_slice().first() else {
        return false;
    };
    let here = bo.resource().map(Resource::mem_type);
    let is_cold = bo.priority() == COLD && bo.request.priority() == placement::Priority::Normal;

    here != Some(best.mem_type()) || (is_cold && here == Some(MemType::VRAM))
}

/// Returns the recency of the least recently used hot BO in VRAM.
pub(super) fn oldest_hot(dev: &RgtDevice, policy: &ScanResistant) -> Option<Recency> {
    dev.ttm()
        .with_oldest(MemType::VRAM, HOT, |bo| policy.recency(bo.history()))
}

/// Checks that a BO has its content: `EFAULT` if it is not needed, `EIO` if it was lost.
pub(crate) fn check_content(bo: &Bo) -> Result {
    if !bo.advice.is_usable() {
        return Err(EFAULT);
    }
    // Set before the fence of the failed move signals.
    if bo.lost.load(Relaxed) {
        return Err(EIO);
    }
    Ok(())
}

/// A BO whose first place is VRAM.
struct VramCandidate<'a, 'b> {
    bo: &'a mut Reserved<'b>,
    places: &'a [Place],
    ctx: &'a mut OperationCtx,
}

impl VramCandidate<'_, '_> {
    /// The places but VRAM.
    fn others(&self) -> &[Place] {
        self.places.get(1..).unwrap_or_default()
    }
}

impl Candidate for VramCandidate<'_, '_> {
    fn size(&self) -> u64 {
        self.bo.size() as u64
    }

    fn history(&self) -> &History {
        self.bo.bo().history()
    }

    fn used(&self, policy: &ScanResistant) {
        if self.bo.private.is_some() {
            // A use is a job of its VM.
            policy.begin(self.history());
        } else {
            policy.used(self.history(), self.size());
        }
    }

    fn class(&self) -> Option<Class> {
        let mem_type = self.bo.resource().map(Resource::mem_type)?;
        if mem_type != MemType::VRAM {
            return None;
        }
        Some(if self.bo.priority() == COLD {
            Class::Cold
        } else {
            Class::Hot
        })
    }

    fn oldest_hot(&self, policy: &ScanResistant) -> Option<Recency> {
        oldest_hot(self.bo.bo().device(), policy)
    }

    fn is_voluntary(&self) -> bool {
        !self.others().is_empty() && self.bo.resource().is_some()
    }

    fn may_come_back(&self) -> bool {
        self.bo.bo().device().eviction_policy.may_come_back()
    }

    fn came_back(&mut self, bytes: u64) {
        self.bo.bo().device().eviction_policy.came_back(bytes);
    }

    fn hops(&self) -> u64 {
        match self.bo.resource().map(Resource::mem_type) {
            Some(MemType::SYSTEM) => 2,
            _ => 1,
        }
    }

    fn validate_elsewhere(&mut self) -> Result {
        let others = self.places.get(1..).unwrap_or_default();

        self.bo.validate(&Placement::new(others), self.ctx)
    }

    /// Waits for nothing: TTM may wait for a reservation only once, since that can end in the demand
    /// to release all others, and that once is for BOs that have no other place.
    fn validate_for(&mut self, claim: Claim) -> Result<u64> {
        let vram = self.places.first().ok_or(EINVAL)?;
        let place = vram
            .without(PlaceFlags::DESIRED | PlaceFlags::FALLBACK)
            .with_hint(Purpose::Claim(claim).hint());
        let mut ctx = OperationCtx::no_wait();

        match self.bo.validate(&Placement::new(&[place]), &mut ctx) {
            Ok(()) | Err(ENOSPC | ENOMEM | EBUSY) => Ok(ctx.bytes_moved()),
            Err(err) => Err(err),
        }
    }

    /// A BO that must be in VRAM, and may be by its cgroup's protection, takes the room of others
    /// before that of its own group.
    fn validate(&mut self) -> Result {
        if let ([vram], None) = (self.places, self.class()) {
            if self.bo.device().ttm().is_entitled(vram.mem_type()) {
                let place = vram.with_hint(Purpose::Entitlement.hint());
                match self.bo.validate(&Placement::new(&[place]), self.ctx) {
                    Err(ENOSPC) => {}
                    done => return done,
                }
            }
        }
        self.bo.validate(&Placement::new(self.places), self.ctx)
    }

    fn bytes_moved(&self) -> u64 {
        self.ctx.bytes_moved()
    }
}
