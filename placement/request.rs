// SPDX-License-Identifier: GPL-2.0

//! The placement that user space asks for.

use kernel::{
    fmt,
    page::PAGE_SHIFT,
    prelude::*, //
};

use super::{
    accessor::Accessor,
    places::{
        Places,
        Room, //
    }, //
};
use crate::{
    resource_mgr::SCRATCHPAD,
    rust::{
        bindings::{
            DRM_RGT_GEM_CONTIGUOUS,
            DRM_RGT_GEM_CPU_ACCESS,
            DRM_RGT_GEM_NO_CPU_ACCESS,
            DRM_RGT_GEM_PRIORITY_HIGH,
            DRM_RGT_GEM_PRIORITY_LOW,
            DRM_RGT_GEM_PRIORITY_NORMAL,
            DRM_RGT_PLACEMENT_GTT,
            DRM_RGT_PLACEMENT_SCRATCHPAD,
            DRM_RGT_PLACEMENT_SYSTEM,
            DRM_RGT_PLACEMENT_VRAM, //
        },
        drm::ttm::{
            MemType,
            Place,
            PlaceFlags, //
        }, //
    }, //
};

/// All placements that a BO can ask for.
const PLACEMENTS: u32 = DRM_RGT_PLACEMENT_SYSTEM
    | DRM_RGT_PLACEMENT_GTT
    | DRM_RGT_PLACEMENT_VRAM
    | DRM_RGT_PLACEMENT_SCRATCHPAD;
/// All flags that a BO can have.
const FLAGS: u32 = DRM_RGT_GEM_CONTIGUOUS | DRM_RGT_GEM_CPU_ACCESS | DRM_RGT_GEM_NO_CPU_ACCESS;

/// When a BO is evicted, compared with others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Priority {
    /// With those that are hardly used, however much it is used.
    Low,
    /// By its use.
    Normal,
    /// After all others.
    High,
}

impl Priority {
    /// Returns the priority of the number `DRM_RGT_GEM_PRIORITY_*`.
    pub(crate) fn of_uapi(priority: u32) -> Option<Self> {
        match priority {
            DRM_RGT_GEM_PRIORITY_NORMAL => Some(Self::Normal),
            DRM_RGT_GEM_PRIORITY_LOW => Some(Self::Low),
            DRM_RGT_GEM_PRIORITY_HIGH => Some(Self::High),
            _ => None,
        }
    }

    /// Returns the number of user space.
    pub(crate) fn as_uapi(self) -> u32 {
        match self {
            Self::Normal => DRM_RGT_GEM_PRIORITY_NORMAL,
            Self::Low => DRM_RGT_GEM_PRIORITY_LOW,
            Self::High => DRM_RGT_GEM_PRIORITY_HIGH,
        }
    }
}

/// The placements, flags and priority that user space asks for.
///
/// # Invariants
///
/// - `mask` is not empty, and has, as `flags`, only defined bits that do not contradict each other.
/// - `preferred` has no bits that `mask` has not.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    mask: u32,
    /// 0 if none is preferred.
    preferred: u32,
    flags: u32,
    priority: Priority,
}

/// The reason why a request is invalid: the field at fault, with its value.
#[derive(Debug)]
pub(crate) enum Invalid {
    /// There is no placement, or an unknown one.
    Placement(u32),
    /// A placement that is preferred is none of those that are allowed.
    Preferred(u32),
    /// The flags are unknown or contradictory.
    Flags(u32, &'static str),
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Placement(mask) => write!(f, "placement {mask:#x}: none or unknown"),
            Self::Preferred(mask) => write!(f, "preferred {mask:#x}: not in placement"),
            Self::Flags(flags, why) => write!(f, "flags {flags:#x}: {why}"),
        }
    }
}

impl From<Invalid> for Error {
    fn from(_: Invalid) -> Self {
        EINVAL
    }
}

impl Request {
    /// Checks placements and flags.
    pub(crate) fn new(mask: u32, flags: u32) -> Result<Self, Invalid> {
        let contradiction = DRM_RGT_GEM_CPU_ACCESS | DRM_RGT_GEM_NO_CPU_ACCESS;
        if mask == 0 || mask & !PLACEMENTS != 0 {
            return Err(Invalid::Placement(mask));
        }
        if flags & !FLAGS != 0 {
            return Err(Invalid::Flags(flags, "unknown"));
        }
        if flags & contradiction == contradiction {
            return Err(Invalid::Flags(flags, "contradict each other"));
        }
        if mask == DRM_RGT_PLACEMENT_SCRATCHPAD && flags & DRM_RGT_GEM_CPU_ACCESS != 0 {
            return Err(Invalid::Flags(flags, "contradict the placement"));
        }

        // INVARIANT: Just checked.
        Ok(Self {
            mask,
            preferred: 0,
            flags,
            priority: Priority::Normal,
        })
    }

    /// Prefers some of the placements to the others.
    pub(crate) fn with_preferred(self, preferred: u32) -> Result<Self, Invalid> {
        if preferred & !self.mask != 0 {
            return Err(Invalid::Preferred(preferred));
        }

        // INVARIANT: Just checked.
        Ok(Self { preferred, ..self })
    }

    /// Sets the priority.
    pub(crate) fn with_priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Returns the placement mask of user space.
    pub(crate) fn mask(&self) -> u32 {
        self.mask
    }

    /// Returns the mask of user space of the placements that are preferred, 0 for none.
    pub(crate) fn preferred_mask(&self) -> u32 {
        self.preferred
    }

    /// Returns the priority.
    pub(crate) fn priority(&self) -> Priority {
        self.priority
    }

    /// Returns the flags of user space.
    pub(crate) fn flags(&self) -> u32 {
        self.flags
    }

    /// Returns the preferred region, `DRM_RGT_REGION_*`.
    pub(crate) fn preferred(&self) -> u32 {
        // The faster the memory the higher the bit.
        self.first().ilog2()
    }

    /// Returns the mask of the placements that are tried first.
    fn first(&self) -> u32 {
        match self.preferred {
            0 => self.mask,
            preferred => preferred,
        }
    }

    /// Returns whether the BO may be in GTT.
    pub(crate) fn allows_gtt(&self) -> bool {
        self.mask & DRM_RGT_PLACEMENT_GTT != 0
    }

    /// Returns whether the BO may be in device-local memory.
    pub(crate) fn allows_local(&self) -> bool {
        self.mask & (DRM_RGT_PLACEMENT_VRAM | DRM_RGT_PLACEMENT_SCRATCHPAD) != 0
    }

    /// Returns the memory type of the only region where jobs can use the BO; [`None`] if there are
    /// several, or none.
    pub(crate) fn only_gpu_region(&self) -> Option<MemType> {
        match self.mask & !DRM_RGT_PLACEMENT_SYSTEM {
            DRM_RGT_PLACEMENT_SCRATCHPAD => Some(SCRATCHPAD),
            DRM_RGT_PLACEMENT_VRAM => Some(MemType::VRAM),
            DRM_RGT_PLACEMENT_GTT => Some(MemType::TT),
            _ => None,
        }
    }

    /// Returns whether the BO's device-local memory must be one extent.
    pub(crate) fn is_contiguous(&self) -> bool {
        self.has(DRM_RGT_GEM_CONTIGUOUS)
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Returns whether the BO's VRAM must always be visible to the CPU.
    pub(crate) fn needs_visible(&self) -> bool {
        self.has(DRM_RGT_GEM_CPU_ACCESS)
    }

    /// Returns the places for an accessor of a BO of this size and alignment, both in bytes, best
    /// first. Empty when the BO would fit into none.
    pub(crate) fn places(
        &self,
        accessor: Accessor,
        room: &Room<'_>,
        size: usize,
        alignment: usize,
    ) -> Places {
        let visible = pages(room.vram.cpu_visible_end());
        // A range that ends at page 0 would be no limit at all.
        let sees_vram = accessor != Accessor::NonPeer
            && (visible != 0 || (accessor == Accessor::Gpu && !self.needs_visible()));
        let all = [
            (
                DRM_RGT_PLACEMENT_SCRATCHPAD,
                accessor == Accessor::Gpu,
                self.local_place(SCRATCHPAD),
            ),
            (
                DRM_RGT_PLACEMENT_VRAM,
                sees_vram,
                self.vram_place(accessor, visible),
            ),
            (
                DRM_RGT_PLACEMENT_GTT,
                true,
                Place::new(MemType::TT, PlaceFlags::NONE),
            ),
            (
                DRM_RGT_PLACEMENT_SYSTEM,
                accessor == Accessor::Cpu,
                Place::new(MemType::SYSTEM, PlaceFlags::NONE),
            ),
        ];

        let mut places = Places::new();
        let first = self.first();
        for mask in [first, self.mask & !first] {
            for &(bit, usable, ref place) in &all {
                if mask & bit != 0 && usable && room.holds(place, size, alignment) {
                    places.push(*place);
                }
            }
        }
        places.rank();
        places
    }

    /// Returns a place anywhere in device-local memory.
    fn local_place(&self, mem_type: MemType) -> Place {
        let flags = if self.has(DRM_RGT_GEM_CONTIGUOUS) {
            PlaceFlags::CONTIGUOUS
        } else {
            PlaceFlags::NONE
        };
        Place::new(mem_type, flags)
    }

    fn vram_place(&self, accessor: Accessor, visible_pages: u64) -> Place {
        let place = self.local_place(MemType::VRAM);

        match accessor {
            Accessor::Gpu if self.has(DRM_RGT_GEM_NO_CPU_ACCESS) => place.with(PlaceFlags::TOPDOWN),
            Accessor::Gpu if !self.needs_visible() => place,
            _ => place.within(0, visible_pages),
        }
    }
}

/// Returns the pages of a number of bytes, rounded down.
pub(crate) fn pages(bytes: u64) -> u64 {
    bytes >> PAGE_SHIFT
}
