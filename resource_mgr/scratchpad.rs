// SPDX-License-Identifier: GPL-2.0

//! The scratchpad: a little memory on the GPU's chip that the CPU never sees.

use kernel::prelude::*;

use super::{
    heap::{
        Fragmentation,
        Heap,
        Pieces, //
    },
    Extent, //
};
use crate::{
    hw::VramGeneration,
    rust::{
        drm::ttm::{
            AllocRequest,
            MemType,
            Place,
            ResourceManager, //
        },
        gpu::buddy::Clearing, //
    }, //
};

/// The memory type of the scratchpad.
pub(crate) const SCRATCHPAD: MemType = MemType::PRIV;

/// The scratchpad's manager.
pub(crate) struct Scratchpad(Heap);

impl Scratchpad {
    /// Makes a manager of `size` bytes.
    pub(crate) fn new(size: u64) -> Result<Self> {
        Ok(Self(Heap::new(size)?))
    }

    /// Has it notice when its content is lost.
    pub(crate) fn with_generation(mut self, generation: &VramGeneration) -> Self {
        self.0 = self.0.with_generation(generation);
        self
    }

    /// Returns the size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.0.size()
    }

    /// How the free part is cut up.
    pub(crate) fn fragmentation(&self) -> Result<Fragmentation> {
        self.0.fragmentation()
    }

    /// Whether a request can be met while all is free.
    pub(crate) fn holds(&self, request: &AllocRequest<'_>) -> bool {
        self.0.holds(request)
    }
}

/// The part of the scratchpad that a BO has.
#[pin_data]
pub(crate) struct ScratchpadResource {
    #[pin]
    pieces: Pieces,
}

impl ScratchpadResource {
    /// See [`VramResource::extents()`](super::VramResource::extents).
    pub(crate) fn extents(&self) -> &[Extent] {
        self.pieces.extents()
    }

    /// See [`VramResource::dirty_extents()`](super::VramResource::dirty_extents).
    pub(crate) fn dirty_extents(&self) -> &[Extent] {
        self.pieces.dirty_extents()
    }

    /// See [`VramResource::clearing()`](super::VramResource::clearing).
    pub(crate) fn clearing(&self) -> Option<Clearing> {
        self.pieces.clearing()
    }
}

impl ResourceManager for Scratchpad {
    type Resource = ScratchpadResource;

    const USE_TT: bool = false;

    fn alloc<'a>(
        &'a self,
        request: &'a AllocRequest<'_>,
    ) -> impl PinInit<ScratchpadResource, Error> + 'a {
        try_pin_init!(ScratchpadResource {
            pieces <- self.0.alloc(request),
        }? Error)
    }

    fn intersects(&self, res: &ScratchpadResource, place: &Place, _size: usize) -> bool {
        res.pieces.overlaps(&self.0.range(place))
    }

    fn compatible(&self, res: &ScratchpadResource, place: &Place, _size: usize) -> bool {
        res.pieces.suits(&self.0, place)
    }
}
