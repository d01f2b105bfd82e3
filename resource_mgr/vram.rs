// SPDX-License-Identifier: GPL-2.0

//! VRAM, over the buddy allocator.

use crate::rust::drm::ttm::{
    AllocRequest,
    Place,
    PlaceFlags,
    ResourceManager, //
};
use core::ops::Range;
use kernel::{
    gpu::buddy::{
        AllocatedBlocks,
        GpuBuddy,
        GpuBuddyAllocFlag,
        GpuBuddyAllocFlags,
        GpuBuddyAllocMode,
        GpuBuddyParams, //
    },
    io::PhysAddr,
    page::PAGE_SIZE,
    prelude::*,
    ptr::{
        Alignable,
        Alignment, //
    },
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

const PAGE: u64 = PAGE_SIZE as u64;

/// A contiguous piece of VRAM.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// Offset in VRAM, in bytes.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) size: u64,
}

impl Extent {
    fn end(&self) -> u64 {
        self.offset + self.size
    }
}

/// Calls `f` with the offset in the BO, the offset in VRAM and the size of each piece of VRAM that
/// holds some of the BO's `bytes`.
pub(crate) fn for_each_part(
    extents: &[Extent],
    bytes: Range<u64>,
    mut f: impl FnMut(u64, u64, u64) -> Result,
) -> Result {
    let mut start = 0;

    for extent in extents {
        let end = start + extent.size;
        let part = bytes.start.max(start)..bytes.end.min(end);
        if part.start < part.end {
            f(
                part.start,
                extent.offset + (part.start - start),
                part.end - part.start,
            )?;
        }
        start = end;
    }
    Ok(())
}

/// The VRAM manager.
pub(crate) struct Vram {
    buddy: GpuBuddy,
    bar: PhysAddr,
    visible: u64,
    visible_used: Arc<Atomic<i64>>,
}

impl Vram {
    /// Makes a manager of `size` bytes, of which the CPU sees the first `visible` at `bar`.
    pub(crate) fn new(size: u64, visible: u64, bar: PhysAddr) -> Result<Self> {
        let buddy = GpuBuddy::new(GpuBuddyParams {
            base_offset: 0,
            size,
            chunk_size: Alignment::new::<PAGE_SIZE>(),
        })?;

        Ok(Self {
            buddy,
            bar,
            visible: visible.min(size),
            visible_used: Arc::new(Atomic::new(0), GFP_KERNEL)?,
        })
    }

    /// Returns the size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.buddy.size()
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

    /// The bytes that a place allows.
    fn range(&self, place: &Place) -> Range<u64> {
        let end = place
            .end_page()
            .map_or(self.size(), |page| page.saturating_mul(PAGE));
        place.first_page().saturating_mul(PAGE)..end.min(self.size())
    }

    fn alloc_blocks(
        &self,
        request: &AllocRequest<'_>,
    ) -> Result<impl PinInit<AllocatedBlocks, Error>> {
        let alignment = Alignment::new_checked(request.alignment).ok_or(EINVAL)?;
        let range = self.range(request.place);
        let room = range.end.saturating_sub(range.start);
        let contiguous = request.place.flags().contains(PlaceFlags::CONTIGUOUS);
        let everywhere = range == (0..self.size());

        // But for pieces anywhere, the allocator aligns nothing that is smaller than its alignment.
        let size = if contiguous || !everywhere {
            request.size.max(request.alignment) as u64
        } else {
            request.size as u64
        };
        // The allocator says EINVAL where TTM wants to hear ENOSPC. It rounds the size up: for one
        // block in a range to a power of two, for pieces to the alignment, and not at all when it
        // gives the whole range.
        let fits = if !everywhere && size == room {
            let ends = range.start | range.end;
            ends.align_down(alignment) == ends
        } else if contiguous && !everywhere {
            size.checked_next_power_of_two()
                .is_some_and(|size| size <= room)
        } else if contiguous {
            size <= room
        } else {
            size.align_up(alignment).is_some_and(|size| size <= room)
        };
        if !fits {
            return Err(ENOSPC);
        }

        let mode = if !everywhere {
            GpuBuddyAllocMode::Range(range)
        } else if request.place.flags().contains(PlaceFlags::TOPDOWN) {
            GpuBuddyAllocMode::TopDown
        } else {
            GpuBuddyAllocMode::Simple
        };
        let flags = if contiguous {
            GpuBuddyAllocFlag::Contiguous.into()
        } else {
            GpuBuddyAllocFlags::default()
        };

        Ok(self.buddy.alloc_blocks(mode, size, alignment, flags))
    }
}

/// The VRAM of one BO.
#[pin_data]
pub(crate) struct VramResource {
    #[pin]
    blocks: AllocatedBlocks,
    extents: KVec<Extent>,
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
    /// The pieces of VRAM, in the order of the BO's bytes; neighbours are joined.
    pub(crate) fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// Returns the offset in VRAM of a byte of the BO.
    pub(crate) fn offset_of(&self, mut byte: u64) -> Option<u64> {
        for extent in &self.extents {
            if byte < extent.size {
                return Some(extent.offset + byte);
            }
            byte -= extent.size;
        }
        None
    }

    /// Whether all of it is below an offset in VRAM.
    pub(crate) fn is_below(&self, end: u64) -> bool {
        self.extents.iter().all(|extent| extent.end() <= end)
    }

    /// Joins the blocks that hold the `left` bytes of the BO; an aligned one may have got more.
    fn join(blocks: &AllocatedBlocks, mut left: u64) -> Result<KVec<Extent>> {
        let mut extents = KVec::<Extent>::new();

        for block in blocks.iter() {
            let (offset, size) = (block.offset(), block.size().min(left));

            left -= size;
            match extents.last_mut() {
                _ if size == 0 => {}
                Some(last) if last.end() == offset => last.size += size,
                _ => extents.push(Extent { offset, size }, GFP_KERNEL)?,
            }
        }
        Ok(extents)
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
            blocks <- self.alloc_blocks(request)?,
            extents: VramResource::join(&blocks, request.size as u64)?,
            visible: VisibleShare::new(self, extents),
        }? Error)
    }

    fn intersects(&self, res: &VramResource, place: &Place, _size: usize) -> bool {
        let range = self.range(place);

        res.extents
            .iter()
            .any(|extent| extent.offset < range.end && extent.end() > range.start)
    }

    fn compatible(&self, res: &VramResource, place: &Place, _size: usize) -> bool {
        let range = self.range(place);
        let contiguous = place.flags().contains(PlaceFlags::CONTIGUOUS);

        (!contiguous || res.extents.len() == 1)
            && res
                .extents
                .iter()
                .all(|extent| extent.offset >= range.start && extent.end() <= range.end)
    }
}
