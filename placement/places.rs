// SPDX-License-Identifier: GPL-2.0

//! The list of TTM places of a BO.

use kernel::page::PAGE_SIZE;

use super::purpose::Purpose;
use crate::{
    resource_mgr::{
        Gtt,
        Scratchpad,
        Vram,
        SCRATCHPAD, //
    },
    rust::drm::ttm::{
        AllocRequest,
        MemType,
        Place,
        PlaceFlags, //
    }, //
};

/// The managers of all places, which know what would fit.
pub(crate) struct Room<'a> {
    pub(crate) vram: &'a Vram,
    pub(crate) gtt: &'a Gtt,
    pub(crate) scratchpad: Option<&'a Scratchpad>,
}

impl Room<'_> {
    /// Returns whether a BO of this size and alignment, both in bytes, fits into an empty place.
    pub(super) fn holds(&self, place: &Place, size: usize, alignment: usize) -> bool {
        let request = AllocRequest {
            size,
            alignment: alignment.max(PAGE_SIZE),
            place,
            zeroed: false,
        };

        match place.mem_type() {
            MemType::VRAM => self.vram.holds(&request),
            SCRATCHPAD => self.scratchpad.is_some_and(|heap| heap.holds(&request)),
            // System pages may have to hop through GTT.
            _ => size as u64 <= self.gtt.limit(),
        }
    }
}

/// A short list of places, best first.
pub(crate) struct Places {
    list: [Place; 4],
    len: usize,
}

impl Places {
    pub(super) fn new() -> Self {
        Self {
            list: [Place::new(MemType::SYSTEM, PlaceFlags::NONE); 4],
            len: 0,
        }
    }

    pub(super) fn push(&mut self, place: Place) {
        self.list[self.len] = place;
        self.len += 1;
    }

    /// Returns the places that are not in a memory type of any of `others`.
    pub(crate) fn without(&self, others: &Self) -> Self {
        let mut places = Self::new();

        for place in self.as_slice() {
            let other = |other: &Place| other.mem_type() == place.mem_type();
            if !others.as_slice().iter().any(other) {
                places.push(
                    place
                        .with_hint(Purpose::Need.hint())
                        .without(PlaceFlags::DESIRED | PlaceFlags::FALLBACK),
                );
            }
        }
        places.rank();
        places
    }

    /// Returns the places in order of preference.
    pub(crate) fn as_slice(&self) -> &[Place] {
        &self.list[..self.len]
    }

    /// Marks for which places TTM evicts.
    ///
    /// TTM tries the desired places first, without eviction, and then the fallbacks, for which it
    /// evicts. The first place is desired, as is all device-local memory but the slowest place: a BO
    /// that may be elsewhere evicts no other from there. A single place is both, as is the slowest
    /// one if it is the first.
    pub(super) fn rank(&mut self) {
        let places = &mut self.list[..self.len];
        // The faster the memory the higher the number.
        let Some(slowest) = places.iter().map(|place| place.mem_type().as_raw()).min() else {
            return;
        };

        for (index, place) in places.iter_mut().enumerate() {
            let local = matches!(place.mem_type(), MemType::VRAM | SCRATCHPAD);
            let desired = match (index, place.mem_type().as_raw() == slowest) {
                (0, true) => continue,
                (0, false) => true,
                (_, slowest) => local && !slowest,
            };

            // Without force TTM only evicts for what the cgroup is entitled to.
            *place = if desired {
                place
                    .with_hint(Purpose::Entitlement.hint())
                    .with(PlaceFlags::DESIRED)
            } else {
                place.with(PlaceFlags::FALLBACK)
            };
        }
    }
}
