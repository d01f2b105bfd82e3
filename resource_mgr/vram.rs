// SPDX-License-Identifier: GPL-2.0

//! VRAM, and what the CPU sees of it.

use kernel::{
    io::PhysAddr,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
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
            IoRun,
            Place,
            ResourceManager, //
        },
        gpu::buddy::Clearing, //
    }, //
};

/// The VRAM manager.
pub(crate) struct Vram {
    heap: Heap,
    bar: PhysAddr,
    visible: u64,
    visible_used: Arc<Atomic<i64>>,
}

impl Vram {
    /// Makes a manager of `size` bytes, of which the CPU sees the first `visible` at `bar`.
    pub(crate) fn new(size: u64, visible: u64, bar: PhysAddr) -> Result<Self> {
        let visible = visible.min(size);
        Ok(Self {
            heap: Heap::new(size)?.with_end(visible..size),
            bar,
            visible,
            visible_used: Arc::new(Atomic::new(0), GFP_KERNEL)?,
        })
    }

    /// Has it notice when its content is lost.
    pub(crate) fn with_generation(mut self, generation: &VramGeneration) -> Self {
        self.heap = self.heap.with_generation(generation);
        self
    }

    /// Returns the size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.heap.size()
    }

    /// Returns the bytes, from the start, that the CPU sees.
    pub(crate) fn visible_size(&self) -> u64 {
        self.visible
    }

    /// Returns how many of those are in use.
    pub(crate) fn visible_used(&self) -> u64 {
        self.visible_used.load(Relaxed).unsigned_abs()
    }

    /// Returns the address at which the CPU sees an offset in VRAM; [`None`] where it does not.
    pub(crate) fn bus_address(&self, offset: u64) -> Option<PhysAddr> {
        (offset < self.visible).then(|| self.bar + offset as PhysAddr)
    }

    /// Whether a request can be met while all is free.
    pub(crate) fn holds(&self, request: &AllocRequest<'_>) -> bool {
        self.heap.holds(request)
    }

    /// Returns where the CPU sees the pages of an extent, as far as it does.
    pub(crate) fn io_run(&self, extent: &Extent) -> Option<IoRun> {
        let addr = self.bus_address(extent.offset)?;
        let size = extent.end().min(self.visible) - extent.offset;

        Some(IoRun {
            addr,
            pages: (size >> PAGE_SHIFT) as usize,
        })
    }

    /// Takes a page that went bad out of use for good, now or when it is freed. Returns whether
    /// it is still in use. `EINVAL` if no page starts there.
    pub(crate) fn retire(&self, offset: u64) -> Result<bool> {
        self.heap.retire(offset)
    }

    /// Where each page is that went bad, and whether it is still in use.
    pub(crate) fn bad_pages(&self) -> Result<KVec<(u64, bool)>> {
        self.heap.retired()
    }

    /// How the free part is cut up.
    pub(crate) fn fragmentation(&self) -> Result<Fragmentation> {
        self.heap.fragmentation()
    }
}

/// The VRAM of one BO.
#[pin_data]
pub(crate) struct VramResource {
    #[pin]
    pieces: Pieces,
    visible: VisibleShare,
}

/// What a BO has of the part that the CPU sees.
struct VisibleShare {
    bytes: i64,
    used: Arc<Atomic<i64>>,
}

impl VisibleShare {
    fn new(vram: &Vram, extents: &[Extent]) -> Self {
        let bytes: u64 = extents
            .iter()
            .map(|extent| extent.end().min(vram.visible).saturating_sub(extent.offset))
            .sum();
        let bytes = bytes as i64;

        vram.visible_used.fetch_add(bytes, Relaxed);
        Self {
            bytes,
            used: vram.visible_used.clone(),
        }
    }
}

impl Drop for VisibleShare {
    fn drop(&mut self) {
        self.used.fetch_add(-self.bytes, Relaxed);
    }
}

impl VramResource {
    /// The pieces of VRAM, in the order of the BO's bytes; neighbours are joined. Who asks may
    /// write there: from now on they are not known to be zero.
    pub(crate) fn extents(&self) -> &[Extent] {
        self.pieces.extents()
    }

    /// The pieces that were not known to be zero when they were allocated: what has to be cleared
    /// before a BO that reads as zeros can have this VRAM.
    pub(crate) fn dirty_extents(&self) -> &[Extent] {
        self.pieces.dirty_extents()
    }

    /// The clear of those; [`None`] if there is nothing to clear.
    pub(crate) fn clearing(&self) -> Option<Clearing> {
        self.pieces.clearing()
    }

    /// Returns what there is in one piece from a byte of the BO on, where the caller may write.
    pub(crate) fn extent_at(&self, mut byte: u64) -> Option<Extent> {
        for extent in self.extents() {
            if byte < extent.size {
                return Some(Extent {
                    offset: extent.offset + byte,
                    size: extent.size - byte,
                });
            }
            byte -= extent.size;
        }
        None
    }

    /// Whether some of a page in VRAM is among it.
    pub(crate) fn has_page(&self, offset: u64) -> bool {
        self.pieces.overlaps(&(offset..offset + PAGE_SIZE as u64))
    }

    /// The offset in VRAM of its first byte.
    pub(crate) fn start(&self) -> Option<u64> {
        self.pieces.peek().first().map(|extent| extent.offset)
    }

    /// Whether all of it is below an offset in VRAM.
    pub(crate) fn is_below(&self, end: u64) -> bool {
        self.pieces.is_within(&(0..end))
    }
}

impl ResourceManager for Vram {
    type Resource = VramResource;

    const USE_TT: bool = false;

    fn alloc<'a>(
        &'a self,
        request: &'a AllocRequest<'_>,
    ) -> impl PinInit<VramResource, Error> + 'a {
        try_pin_init!(VramResource {
            pieces <- self.heap.alloc(request),
            visible: VisibleShare::new(self, pieces.peek()),
        }? Error)
    }

    fn intersects(&self, res: &VramResource, place: &Place, _size: usize) -> bool {
        res.pieces.overlaps(&self.heap.range(place))
    }

    fn compatible(&self, res: &VramResource, place: &Place, _size: usize) -> bool {
        res.pieces.suits(&self.heap, place)
    }
}
