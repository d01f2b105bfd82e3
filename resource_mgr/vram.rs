// SPDX-License-Identifier: GPL-2.0

//! The VRAM manager.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

use super::{
    heap::{
        Fragmentation,
        Heap, //
    },
    local::{
        Extent,
        LocalMemory,
        LocalResource,
        VisibleShare, //
    }, //
};
use crate::{
    hw::VramGeneration,
    rust::drm::{
        print::{
            drm_printf,
            Printer, //
        },
        ttm::{
            AllocRequest,
            IoRegion,
            IoRun,
            Place,
            ResourceManager, //
        }, //
    }, //
};

/// The VRAM manager.
pub(crate) struct Vram {
    heap: Heap,
    window: IoRegion,
    visible: u64,
    cpu_visible_used: Arc<Atomic<i64>>,
}

impl Vram {
    /// Returns a manager of `size` bytes, of which the CPU sees the first `visible` in `window`.
    pub(crate) fn new(size: u64, visible: u64, window: IoRegion) -> Result<Self> {
        let visible = visible.min(size).min(window.size());
        Ok(Self {
            heap: Heap::new(LocalMemory::Vram, size)?.with_end(visible..size),
            window,
            visible,
            cpu_visible_used: Arc::new(Atomic::new(0), GFP_KERNEL)?,
        })
    }

    /// Takes the first `reserved` bytes out of the manager, whole pages that the CPU sees.
    pub(crate) fn with_reserved(mut self, reserved: u64) -> Result<Self> {
        if reserved > self.visible {
            return Err(EINVAL);
        }
        self.heap = self.heap.with_reserved(reserved)?;
        Ok(self)
    }

    /// Ties the manager to `generation`: memory counts as dirty again when the content is lost.
    pub(crate) fn with_generation(mut self, generation: &VramGeneration) -> Self {
        self.heap = self.heap.with_generation(generation);
        self
    }

    /// Returns the size in bytes, without what is reserved.
    pub(crate) fn size(&self) -> u64 {
        self.heap.size()
    }

    /// Returns the size of visible VRAM, without what is reserved.
    pub(crate) fn cpu_visible_size(&self) -> u64 {
        self.visible - self.heap.reserved()
    }

    /// Returns the end of visible VRAM.
    pub(crate) fn cpu_visible_end(&self) -> u64 {
        self.visible
    }

    /// Returns the used bytes of visible VRAM.
    pub(crate) fn cpu_visible_used(&self) -> u64 {
        self.cpu_visible_used.load(Relaxed).unsigned_abs()
    }

    /// Returns whether a request can be met while all of VRAM is free.
    pub(crate) fn holds(&self, request: &AllocRequest<'_>) -> bool {
        self.heap.holds(request)
    }

    /// Returns the visible part of an extent, from its start, as the CPU addresses it.
    pub(crate) fn io_run(&self, extent: &Extent) -> Option<IoRun> {
        self.window
            .run(extent.offset..extent.end().min(self.visible))
    }

    /// Retires a bad page, now or when it is freed. Returns whether it is still in use. `EINVAL` if
    /// no page starts there.
    pub(crate) fn retire(&self, offset: u64) -> Result<bool> {
        self.heap.retire(offset)
    }

    /// Returns the offset of each bad page, and whether it is still in use.
    pub(crate) fn bad_pages(&self) -> Result<KVec<(u64, bool)>> {
        self.heap.retired()
    }

    /// Returns the fragmentation of free VRAM.
    pub(crate) fn fragmentation(&self) -> Result<Fragmentation> {
        self.heap.fragmentation()
    }
}

impl ResourceManager for Vram {
    type Resource = LocalResource;

    const USE_TT: bool = false;

    fn alloc<'a>(
        &'a self,
        request: &'a AllocRequest<'_>,
    ) -> impl PinInit<LocalResource, Error> + 'a {
        self.heap.alloc(request, |extents| {
            Some(VisibleShare::new(
                self.visible,
                &self.cpu_visible_used,
                extents,
            ))
        })
    }

    fn intersects(&self, res: &LocalResource, place: &Place, _size: usize) -> bool {
        res.overlaps(&self.heap.range(place))
    }

    fn compatible(&self, res: &LocalResource, place: &Place, _size: usize) -> bool {
        self.heap.suits(res, place)
    }

    fn debug(&self, out: &Printer<'_>) {
        drm_printf!(
            out,
            "visible_size: {}MiB\nvisible_used: {}MiB\n",
            self.cpu_visible_size() >> 20,
            self.cpu_visible_used() >> 20
        );
        self.heap.print(out);
    }
}
