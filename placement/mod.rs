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

use crate::rust::{
    bindings::{
        DRM_RGT_GEM_CONTIGUOUS,
        DRM_RGT_GEM_CPU_ACCESS,
        DRM_RGT_GEM_NO_CPU_ACCESS,
        DRM_RGT_PLACEMENT_GTT,
        DRM_RGT_PLACEMENT_SYSTEM,
        DRM_RGT_PLACEMENT_VRAM, //
    },
    drm::ttm::{
        MemType,
        Place,
        PlaceFlags, //
    },
};
use kernel::{
    page::PAGE_SHIFT,
    prelude::*, //
};

/// All placements that a BO can ask for.
const PLACEMENTS: u32 = DRM_RGT_PLACEMENT_SYSTEM | DRM_RGT_PLACEMENT_GTT | DRM_RGT_PLACEMENT_VRAM;
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
}

/// A short list of places.
pub(crate) struct Places {
    list: [Place; 3],
    len: usize,
}

impl Places {
    fn push(&mut self, place: Place) {
        self.list[self.len] = place;
        self.len += 1;
    }

    /// The places in order of preference.
    pub(crate) fn as_slice(&self) -> &[Place] {
        &self.list[..self.len]
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

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Whether the BO's VRAM must always be where the CPU sees it.
    pub(crate) fn needs_visible(&self) -> bool {
        self.has(DRM_RGT_GEM_CPU_ACCESS)
    }

    /// Returns the places for a user, best first. Empty when there is none.
    ///
    /// The first is the desired one: TTM tries it without making room. The others are fallbacks,
    /// for which it does. A single place is both. `visible_pages` is how much of VRAM the CPU
    /// sees.
    pub(crate) fn places(&self, user: User, visible_pages: u64) -> Places {
        let mut places = Places {
            list: [Place::new(MemType::SYSTEM, PlaceFlags::NONE); 3],
            len: 0,
        };
        let usable = self.mask
            & match user {
                User::Gpu => DRM_RGT_PLACEMENT_GTT | DRM_RGT_PLACEMENT_VRAM,
                User::Cpu => PLACEMENTS,
            };
        let flags = |places: &Places| {
            if usable.count_ones() == 1 {
                PlaceFlags::NONE
            } else if places.len == 0 {
                PlaceFlags::DESIRED
            } else {
                PlaceFlags::FALLBACK
            }
        };

        // A range that ends at page 0 would be no limit at all.
        let in_window = user == User::Cpu || self.needs_visible();
        if usable & DRM_RGT_PLACEMENT_VRAM != 0 && !(in_window && visible_pages == 0) {
            places.push(self.vram_place(user, visible_pages, flags(&places)));
        }
        if usable & DRM_RGT_PLACEMENT_GTT != 0 {
            places.push(Place::new(MemType::TT, flags(&places)));
        }
        if usable & DRM_RGT_PLACEMENT_SYSTEM != 0 {
            places.push(Place::new(MemType::SYSTEM, flags(&places)));
        }
        places
    }

    fn vram_place(&self, user: User, visible_pages: u64, mut flags: PlaceFlags) -> Place {
        if self.has(DRM_RGT_GEM_CONTIGUOUS) {
            flags = flags | PlaceFlags::CONTIGUOUS;
        }

        match user {
            User::Gpu if self.has(DRM_RGT_GEM_NO_CPU_ACCESS) => {
                Place::new(MemType::VRAM, flags | PlaceFlags::TOPDOWN)
            }
            User::Gpu if !self.needs_visible() => Place::new(MemType::VRAM, flags),
            _ => Place::new(MemType::VRAM, flags).within(0, visible_pages),
        }
    }
}

/// Pages of a number of bytes, rounded down.
pub(crate) fn pages(bytes: u64) -> u64 {
    bytes >> PAGE_SHIFT
}
