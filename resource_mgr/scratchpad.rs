// SPDX-License-Identifier: GPL-2.0

//! The manager of the scratchpad, on-chip memory that the CPU does not see.

use kernel::prelude::*;

use super::{
    heap::{
        Fragmentation,
        Heap, //
    },
    local::{
        LocalMemory,
        LocalResource, //
    }, //
};
use crate::{
    hw::VramGeneration,
    rust::drm::{
        print::Printer,
        ttm::{
            AllocRequest,
            MemType,
            Place,
            ResourceManager, //
        }, //
    }, //
};

/// The memory type of the scratchpad.
pub(crate) const SCRATCHPAD: MemType = MemType::PRIV;

/// The scratchpad's manager.
pub(crate) struct Scratchpad(Heap);

impl Scratchpad {
    /// Returns a manager of `size` bytes.
    pub(crate) fn new(size: u64) -> Result<Self> {
        Ok(Self(Heap::new(LocalMemory::Scratchpad, size)?))
    }

    /// Ties the manager to `generation`: memory counts as dirty again when the content is lost.
    pub(crate) fn with_generation(mut self, generation: &VramGeneration) -> Self {
        self.0 = self.0.with_generation(generation);
        self
    }

    /// Returns the size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.0.size()
    }

    /// Returns the fragmentation of the free part.
    pub(crate) fn fragmentation(&self) -> Result<Fragmentation> {
        self.0.fragmentation()
    }

    /// Returns whether a request can be met while all of it is free.
    pub(crate) fn holds(&self, request: &AllocRequest<'_>) -> bool {
        self.0.holds(request)
    }
}

impl ResourceManager for Scratchpad {
    type Resource = LocalResource;

    const USE_TT: bool = false;

    fn alloc<'a>(
        &'a self,
        request: &'a AllocRequest<'_>,
    ) -> impl PinInit<LocalResource, Error> + 'a {
        self.0.alloc(request, |_| None)
    }

    fn intersects(&self, res: &LocalResource, place: &Place, _size: usize) -> bool {
        res.overlaps(&self.0.range(place))
    }

    fn compatible(&self, res: &LocalResource, place: &Place, _size: usize) -> bool {
        self.0.suits(res, place)
    }

    fn debug(&self, out: &Printer<'_>) {
        self.0.print(out);
    }
}
