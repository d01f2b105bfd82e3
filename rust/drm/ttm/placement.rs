// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Places of a buffer object.
//!
//! C header: [`include/drm/ttm/ttm_placement.h`](srctree/include/drm/ttm/ttm_placement.h)

use core::{
    marker::PhantomData,
    ops::BitOr, //
};

use crate::rust::bindings;

/// A memory type: which resource manager hands the memory out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct MemType(u32);

impl MemType {
    /// System pages that the device does not see. TTM's own manager serves it.
    pub const SYSTEM: Self = Self(bindings::TTM_PL_SYSTEM);
    /// System pages that the device sees.
    pub const TT: Self = Self(bindings::TTM_PL_TT);
    /// Device-local memory.
    pub const VRAM: Self = Self(bindings::TTM_PL_VRAM);
    /// The first of the driver's private types.
    pub const PRIV: Self = Self(bindings::TTM_PL_PRIV);

    /// The number of memory types.
    pub const COUNT: usize = bindings::TTM_NUM_MEM_TYPES as usize;

    /// Returns the type that C knows by a number; [`None`] when there is none.
    pub const fn new(raw: u32) -> Option<Self> {
        if raw < bindings::TTM_NUM_MEM_TYPES {
            Some(Self(raw))
        } else {
            None
        }
    }

    pub(super) const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// Returns the number that C knows the type by.
    pub const fn as_raw(self) -> u32 {
        self.0
    }
}

/// The lowest bit of the hint in the flags of a `ttm_place`.
const HINT_SHIFT: u32 = 16;

// TTM's flags are far from there, and it ignores what it does not know.
const _: () = assert!(bindings::TTM_PL_FLAG_FALLBACK < 1 << (HINT_SHIFT - 8));

/// Flags of a place; combine with `|`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct PlaceFlags(u32);

impl PlaceFlags {
    /// Nothing special.
    pub const NONE: Self = Self(0);
    /// The resource must be one block.
    pub const CONTIGUOUS: Self = Self(bindings::TTM_PL_FLAG_CONTIGUOUS);
    /// Allocate from the end of the range.
    pub const TOPDOWN: Self = Self(bindings::TTM_PL_FLAG_TOPDOWN);
    /// A stop on the way of a multihop move.
    pub const TEMPORARY: Self = Self(bindings::TTM_PL_FLAG_TEMPORARY);
    /// Tried in the first round, without evicting anything.
    pub const DESIRED: Self = Self(bindings::TTM_PL_FLAG_DESIRED);
    /// Tried when no desired place has room.
    pub const FALLBACK: Self = Self(bindings::TTM_PL_FLAG_FALLBACK);

    /// All bits that TTM may use. Those above hold a place's [hint](Place::hint()).
    const TTM: u32 = (1 << HINT_SHIFT) - 1;

    pub(super) const fn from_raw(raw: u32) -> Self {
        Self(raw & Self::TTM)
    }

    /// Returns whether all of `flags` are set.
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl BitOr for PlaceFlags {
    type Output = Self;

    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

/// One place: a memory type, or a range of page frames in it.
///
/// Equivalent of `struct ttm_place`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Place(bindings::ttm_place);

impl Place {
    /// Anywhere in a memory type.
    pub const fn new(mem_type: MemType, flags: PlaceFlags) -> Self {
        Self(bindings::ttm_place {
            fpfn: 0,
            lpfn: 0,
            mem_type: mem_type.0,
            flags: flags.0,
        })
    }

    /// Only page frames `first..end` of the memory type; an `end` of 0 is no limit.
    pub const fn within(self, first: u64, end: u64) -> Self {
        Self(bindings::ttm_place {
            fpfn: first,
            lpfn: end,
            ..self.0
        })
    }

    /// The same place with these flags in addition.
    pub const fn with(self, flags: PlaceFlags) -> Self {
        Self(bindings::ttm_place {
            flags: self.0.flags | flags.0,
            ..self.0
        })
    }

    /// The same place without these flags.
    pub const fn without(self, flags: PlaceFlags) -> Self {
        Self(bindings::ttm_place {
            flags: self.0.flags & !flags.0,
            ..self.0
        })
    }

    /// The same place with a hint, a number for the driver's own
    /// [`Driver::eviction_valuable()`](super::Driver::eviction_valuable): TTM hands it on.
    pub const fn with_hint(self, hint: u16) -> Self {
        Self(bindings::ttm_place {
            // CAST: Widens.
            flags: self.0.flags & PlaceFlags::TTM | (hint as u32) << HINT_SHIFT,
            ..self.0
        })
    }

    /// The hint; 0 without one.
    pub const fn hint(&self) -> u16 {
        // CAST: That many bits are left.
        (self.0.flags >> HINT_SHIFT) as u16
    }

    /// # Safety
    ///
    /// `ptr` must point to a `ttm_place` that is valid and not changed for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *const bindings::ttm_place) -> &'a Self {
        // SAFETY: `Place` is transparent over `ttm_place`; the rest is the caller's promise.
        unsafe { &*ptr.cast() }
    }

    pub(super) fn into_raw(self) -> bindings::ttm_place {
        self.0
    }

    /// The memory type.
    pub fn mem_type(&self) -> MemType {
        MemType(self.0.mem_type)
    }

    /// The flags.
    pub fn flags(&self) -> PlaceFlags {
        PlaceFlags::from_raw(self.0.flags)
    }

    /// The first page frame.
    pub fn first_page(&self) -> u64 {
        self.0.fpfn
    }

    /// The page frame behind the last one; [`None`] without a limit.
    pub fn end_page(&self) -> Option<u64> {
        (self.0.lpfn != 0).then_some(self.0.lpfn)
    }
}

/// A list of places in order of preference. An empty one asks for no backing at all.
///
/// Equivalent of `struct ttm_placement`.
#[repr(transparent)]
pub struct Placement<'a>(bindings::ttm_placement, PhantomData<&'a [Place]>);

impl<'a> Placement<'a> {
    /// Creates a placement of `places`.
    pub fn new(places: &'a [Place]) -> Self {
        Self(
            bindings::ttm_placement {
                // CAST: Lists of places are a few entries long.
                num_placement: places.len() as u32,
                placement: places.as_ptr().cast(),
            },
            PhantomData,
        )
    }

    /// Returns whether it asks for no backing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.num_placement == 0
    }

    /// The returned pointer is valid while `self` is; C does not write through it.
    pub(super) fn as_raw(&self) -> *mut bindings::ttm_placement {
        (&raw const self.0).cast_mut()
    }
}
