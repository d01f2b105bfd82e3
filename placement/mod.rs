// SPDX-License-Identifier: GPL-2.0

//! From what user space asks for to TTM's places, and who gets them.

mod arbiter;
mod budget;
mod policy;

pub(crate) use self::{
    arbiter::Arbiter,
    budget::Budget,
    policy::{
        Claim,
        History,
        Policy,
        Standing, //
    }, //
};

use kernel::{
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*, //
};

use crate::{
    resource_mgr::{
        Gtt,
        Scratchpad,
        Vram,
        SCRATCHPAD, //
    },
    rust::{
        bindings::{
            DRM_RGT_GEM_CONTIGUOUS,
            DRM_RGT_GEM_CPU_ACCESS,
            DRM_RGT_GEM_NO_CPU_ACCESS,
            DRM_RGT_PLACEMENT_GTT,
            DRM_RGT_PLACEMENT_SCRATCHPAD,
            DRM_RGT_PLACEMENT_SYSTEM,
            DRM_RGT_PLACEMENT_VRAM, //
        },
        drm::ttm::{
            AllocRequest,
            MemType,
            Place,
            PlaceFlags, //
        },
    }, //
};

/// All placements that a BO can ask for.
const PLACEMENTS: u32 = DRM_RGT_PLACEMENT_SYSTEM
    | DRM_RGT_PLACEMENT_GTT
    | DRM_RGT_PLACEMENT_VRAM
    | DRM_RGT_PLACEMENT_SCRATCHPAD;
/// All flags that a BO can have.
const FLAGS: u32 = DRM_RGT_GEM_CONTIGUOUS | DRM_RGT_GEM_CPU_ACCESS | DRM_RGT_GEM_NO_CPU_ACCESS;

/// Where user space wants a BO to be.
///
/// # Invariants
///
/// `mask` is not empty, and has, as `flags`, only defined bits that do not contradict each other.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    mask: u32,
    flags: u32,
}

/// Who is going to use a BO.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// A job: the places that the GPU sees.
    Gpu,
    /// A page fault: the places that the CPU sees.
    Cpu,
    /// Another device that can access the GPU's BARs.
    Peer,
    /// Another device that reaches system pages only.
    Other,
}

/// The managers of all places.
pub(crate) struct Room<'a> {
    pub(crate) vram: &'a Vram,
    pub(crate) gtt: &'a Gtt,
    pub(crate) scratchpad: Option<&'a Scratchpad>,
}

impl Room<'_> {
    /// Whether a BO of this size and alignment, both in bytes, fits into a place if nobody else is
    /// there.
    fn holds(&self, place: &Place, size: usize, alignment: usize) -> bool {
        let request = AllocRequest {
            size,
            alignment: alignment.max(PAGE_SIZE),
            place,
            zeroed: false,
        };

        match place.mem_type() {
            MemType::VRAM => self.vram.holds(&request),
            SCRATCHPAD => self.scratchpad.is_some_and(|heap| heap.holds(&request)),
            // System pages may have to be where the GPU sees them on their way elsewhere.
            _ => size as u64 <= self.gtt.limit(),
        }
    }
}

/// A short list of places.
pub(crate) struct Places {
    list: [Place; 4],
    len: usize,
}

impl Places {
    fn new() -> Self {
        Self {
            list: [Place::new(MemType::SYSTEM, PlaceFlags::NONE); 4],
            len: 0,
        }
    }

    fn push(&mut self, place: Place) {
        self.list[self.len] = place;
        self.len += 1;
    }

    /// The places in order of preference.
    pub(crate) fn as_slice(&self) -> &[Place] {
        &self.list[..self.len]
    }

    /// Says for which places TTM makes room.
    ///
    /// It tries the desired ones first, as they are, and then the fallbacks, for which it evicts
    /// others. The first is desired, as is all memory of the GPU's own before the last place: a BO
    /// that may be elsewhere evicts nobody from there. A single place is both.
    fn rank(&mut self) {
        let Some(last) = self.len.checked_sub(1).filter(|&last| last > 0) else {
            return;
        };

        for (index, place) in self.list[..self.len].iter_mut().enumerate() {
            let own = matches!(place.mem_type(), MemType::VRAM | SCRATCHPAD);
            let desired = index == 0 || (own && index < last);

            *place = place.with(if desired {
                PlaceFlags::DESIRED
            } else {
                PlaceFlags::FALLBACK
            });
        }
    }
}

impl Request {
    /// Checks what user space asks for. `EINVAL` when it makes no sense.
    pub(crate) fn new(mask: u32, flags: u32) -> Result<Self> {
        let contradiction = DRM_RGT_GEM_CPU_ACCESS | DRM_RGT_GEM_NO_CPU_ACCESS;
        if mask == 0
            || mask & !PLACEMENTS != 0
            || flags & !FLAGS != 0
            || flags & contradiction == contradiction
            || (mask == DRM_RGT_PLACEMENT_SCRATCHPAD && flags & DRM_RGT_GEM_CPU_ACCESS != 0)
        {
            return Err(EINVAL);
        }

        // INVARIANT: Just checked.
        Ok(Self { mask, flags })
    }

    /// The mask as user space gave it.
    pub(crate) fn mask(&self) -> u32 {
        self.mask
    }

    /// The flags as user space gave them.
    pub(crate) fn flags(&self) -> u32 {
        self.flags
    }

    /// The region, `DRM_RGT_REGION_*`, that the BO would best be in.
    pub(crate) fn preferred(&self) -> u32 {
        // The faster the memory the higher the bit.
        self.mask.ilog2()
    }

    /// Whether the BO may be in system pages that the GPU sees.
    pub(crate) fn allows_gtt(&self) -> bool {
        self.mask & DRM_RGT_PLACEMENT_GTT != 0
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Whether the BO's VRAM must always be where the CPU sees it.
    pub(crate) fn needs_visible(&self) -> bool {
        self.has(DRM_RGT_GEM_CPU_ACCESS)
    }

    /// Returns the places for a user of a BO of this size and alignment, both in bytes, best first.
    /// Empty when there is none that it would ever fit into.
    pub(crate) fn places(
        &self,
        user: User,
        room: &Room<'_>,
        size: usize,
        alignment: usize,
    ) -> Places {
        let visible = pages(room.vram.visible_size());
        // A range that ends at page 0 would be no limit at all.
        let sees_vram =
            user != User::Other && (visible != 0 || (user == User::Gpu && !self.needs_visible()));
        let all = [
            (
                DRM_RGT_PLACEMENT_SCRATCHPAD,
                user == User::Gpu,
                self.own_place(SCRATCHPAD),
            ),
            (
                DRM_RGT_PLACEMENT_VRAM,
                sees_vram,
                self.vram_place(user, visible),
            ),
            (
                DRM_RGT_PLACEMENT_GTT,
                true,
                Place::new(MemType::TT, PlaceFlags::NONE),
            ),
            (
                DRM_RGT_PLACEMENT_SYSTEM,
                user == User::Cpu,
                Place::new(MemType::SYSTEM, PlaceFlags::NONE),
            ),
        ];

        let mut places = Places::new();
        for (bit, usable, place) in all {
            if self.mask & bit != 0 && usable && room.holds(&place, size, alignment) {
                places.push(place);
            }
        }
        places.rank();
        places
    }

    /// A place anywhere in memory of the GPU's own.
    fn own_place(&self, mem_type: MemType) -> Place {
        let flags = if self.has(DRM_RGT_GEM_CONTIGUOUS) {
            PlaceFlags::CONTIGUOUS
        } else {
            PlaceFlags::NONE
        };
        Place::new(mem_type, flags)
    }

    fn vram_place(&self, user: User, visible_pages: u64) -> Place {
        let place = self.own_place(MemType::VRAM);

        match user {
            User::Gpu if self.has(DRM_RGT_GEM_NO_CPU_ACCESS) => place.with(PlaceFlags::TOPDOWN),
            User::Gpu if !self.needs_visible() => place,
            _ => place.within(0, visible_pages),
        }
    }
}

/// Pages of a number of bytes, rounded down.
pub(crate) fn pages(bytes: u64) -> u64 {
    bytes >> PAGE_SHIFT
}
