// SPDX-License-Identifier: GPL-2.0

//! Eviction: which BOs may be evicted, and where they go.

use super::object::Reserved;
use crate::{
    placement::Purpose,
    rust::{
        dma_resv::Usage,
        drm::ttm::{
            MemType,
            Place,
            PlaceFlags, //
        }, //
    }, //
};

/// The places of BOs evicted from device-local memory: pages that the GPU still sees, while the
/// limit allows.
static FROM_LOCAL: [Place; 2] = [
    Place::new(MemType::TT, PlaceFlags::DESIRED),
    Place::new(MemType::SYSTEM, PlaceFlags::FALLBACK),
];

/// The places of all others.
static FROM_PAGES: [Place; 1] = [Place::new(MemType::SYSTEM, PlaceFlags::NONE)];

/// Returns the places where an evicted BO may go.
pub(super) fn evict_placement(bo: &Reserved<'_>) -> &'static [Place] {
    match bo.resource() {
        _ if !bo.advice.is_usable() => &FROM_PAGES,
        Some(res) if !res.uses_tt() => &FROM_LOCAL,
        _ => &FROM_PAGES,
    }
}

/// Returns whether a BO may be evicted to make room in a place, or for no particular place.
pub(super) fn eviction_valuable(bo: &Reserved<'_>, place: Option<&Place>) -> bool {
    let purpose = place.map_or(Purpose::Need, |place| Purpose::from_hint(place.hint()));
    let justified = match purpose {
        Purpose::Claim(claim) => {
            let policy = bo.device().eviction_policy.scan_resistant();
            (!bo.advice.is_usable()
                || policy.is_none_or(|policy| policy.is_evictable_for(bo.history(), claim)))
                && bo.resv().test_signaled(Usage::Bookkeep)
                && !bo.is_protected()
        }
        Purpose::Entitlement => !bo.is_of_own_cgroup(),
        Purpose::Need => true,
    };

    justified && bo.intersects(place)
}
