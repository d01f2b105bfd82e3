// SPDX-License-Identifier: GPL-2.0

//! A heap of device-local memory, allocated in blocks.
//!
//! The allocator gives the largest blocks that it has, in descending order and each aligned to its
//! size, so that a BO of 2 MiB or more is made of blocks of 2 MiB as far as there are any, then of
//! those of 64 KiB, and its mappings of pages of that size.

use core::ops::Range;

use kernel::{
    gpu::buddy::GpuBuddyAllocMode,
    page::PAGE_SIZE,
    prelude::*,
    ptr::{
        Alignable,
        Alignment, //
    },
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

use super::local::{
    Extent,
    LocalMemory,
    LocalResource,
    VisibleShare, //
};
use crate::{
    hw::VramGeneration,
    rust::{
        drm::{
            print::{
                drm_printf,
                Printer, //
            },
            ttm::{
                AllocRequest,
                Place,
                PlaceFlags, //
            }, //
        },
        gpu::buddy::{
            Blocks,
            Buddy,
            Request, //
        }, //
    }, //
};

const PAGE: u64 = PAGE_SIZE as u64;

/// A heap of pages.
pub(super) struct Heap {
    memory: LocalMemory,
    buddy: Buddy,
    /// Bytes at the start that nothing is allocated of, and the blocks that are there.
    reserved: u64,
    _reserved: Option<Blocks>,
    /// The range that top-down allocations try first.
    end: Range<u64>,
    /// The generation of the content, for memory that may lose it.
    generation: Option<VramGeneration>,
    /// The generation that was seen last.
    known: Atomic<u64>,
}

/// The fragmentation of the free part of a heap.
pub(crate) struct Fragmentation {
    /// Free bytes.
    pub(crate) free: u64,
    /// Free bytes that are known to be zero.
    pub(crate) cleared: u64,
    /// The number of free blocks of each order, of a page on.
    pub(crate) free_blocks: KVec<u64>,
}

impl Fragmentation {
    /// Returns the bytes of the largest free block.
    pub(crate) fn largest(&self) -> u64 {
        self.free_blocks
            .iter()
            .rposition(|&count| count != 0)
            .map_or(0, |order| PAGE << order)
    }
}

impl Heap {
    /// Returns a heap of `size` bytes.
    pub(super) fn new(memory: LocalMemory, size: u64) -> Result<Self> {
        Ok(Self {
            memory,
            buddy: Buddy::new(size, Alignment::new::<PAGE_SIZE>())?,
            reserved: 0,
            _reserved: None,
            end: 0..0,
            generation: None,
            known: Atomic::new(0),
        })
    }

    /// Takes the first `reserved` bytes, whole pages, out of the heap.
    pub(super) fn with_reserved(mut self, reserved: u64) -> Result<Self> {
        if reserved != 0 {
            self._reserved = Some(self.buddy.alloc(&Request {
                mode: GpuBuddyAllocMode::Range(0..reserved),
                size: reserved,
                min_block: Alignment::new::<PAGE_SIZE>(),
                preferred: None,
                contiguous: false,
                zeroed: false,
            })?);
            self.reserved = reserved;
        }
        Ok(self)
    }

    /// Lets top-down allocations try `end` first. The allocator itself would prefer a large block,
    /// wherever that is.
    pub(super) fn with_end(mut self, end: Range<u64>) -> Self {
        self.end = end;
        self
    }

    /// Ties the heap to `generation`: memory counts as dirty again when it changes.
    pub(super) fn with_generation(mut self, generation: &VramGeneration) -> Self {
        self.known = Atomic::new(generation.zeros());
        self.generation = Some(generation.clone());
        self
    }

    /// Forgets what is known to be zero if it was lost.
    fn notice_loss(&self) {
        let Some(generation) = &self.generation else {
            return;
        };
        let now = generation.zeros();
        if self.known.load(Relaxed) != now && self.known.xchg(now, Relaxed) != now {
            self.buddy.forget_zeros();
        }
    }

    /// Returns the size in bytes, without what is reserved.
    pub(super) fn size(&self) -> u64 {
        self.buddy.size() - self.reserved
    }

    /// Returns the bytes that are reserved, from the start.
    pub(super) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Returns the fragmentation of the free part.
    pub(super) fn fragmentation(&self) -> Result<Fragmentation> {
        Ok(Fragmentation {
            free: self.buddy.free(),
            cleared: self.buddy.cleared(),
            free_blocks: self.buddy.free_blocks()?,
        })
    }

    /// Prints the free part. Without memory for that, the error.
    pub(super) fn print(&self, out: &Printer<'_>) {
        if let Err(err) = self.buddy.print(out) {
            drm_printf!(out, "free blocks: {err:?}\n");
        }
    }

    /// Takes the page at an offset out of use for good, now or when it is freed. Returns whether
    /// it is still in use. `EINVAL` if no page starts there.
    pub(super) fn retire(&self, offset: u64) -> Result<bool> {
        self.buddy.retire(offset)
    }

    /// Returns the offset of each retired page, and whether it is still in use.
    pub(super) fn retired(&self) -> Result<KVec<(u64, bool)>> {
        self.buddy.retired()
    }

    /// Returns the bytes that a place allows.
    pub(super) fn range(&self, place: &Place) -> Range<u64> {
        let end = place
            .end_page()
            .map_or(u64::MAX, |page| page.saturating_mul(PAGE));
        let start = place.first_page().saturating_mul(PAGE);
        start.max(self.reserved)..end.min(self.buddy.size())
    }

    /// Returns whether a request can be met while the whole heap is free.
    pub(super) fn holds(&self, request: &AllocRequest<'_>) -> bool {
        self.request(request).is_ok()
    }

    /// Allocates. `ENOSPC` when there is no room. `visible` counts the visible part of the extents.
    pub(super) fn alloc<'a>(
        &'a self,
        request: &'a AllocRequest<'_>,
        visible: impl FnOnce(&[Extent]) -> Option<VisibleShare> + 'a,
    ) -> impl PinInit<LocalResource, Error> + 'a {
        self.notice_loss();
        LocalResource::new(
            self.memory,
            move || self.buddy.alloc(&self.request(request)?),
            request.size as u64,
            visible,
        )
    }

    fn request(&self, request: &AllocRequest<'_>) -> Result<Request> {
        let alignment = Alignment::new_checked(request.alignment).ok_or(EINVAL)?;
        let range = self.range(request.place);
        let room = range.end.saturating_sub(range.start);
        let flags = request.place.flags();
        let contiguous = flags.contains(PlaceFlags::CONTIGUOUS);
        let everywhere = range == (self.reserved..self.buddy.size());

        // But for blocks anywhere, the allocator aligns nothing that is smaller than its alignment.
        let size = if contiguous || !everywhere {
            request.size.max(request.alignment) as u64
        } else {
            request.size as u64
        };
        // The allocator says EINVAL where TTM wants to hear ENOSPC. It rounds the size up: for one
        // block in a range to a power of two, for several to the alignment, and not at all when it
        // gives all that is allowed.
        let fits = if size == room {
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

        let (mode, preferred) = if !everywhere {
            (GpuBuddyAllocMode::Range(range), None)
        } else if flags.contains(PlaceFlags::TOPDOWN) {
            let end = (!self.end.is_empty()).then(|| self.end.clone());
            (GpuBuddyAllocMode::TopDown, end)
        } else {
            (GpuBuddyAllocMode::Simple, None)
        };
        Ok(Request {
            mode,
            size,
            min_block: alignment,
            preferred,
            contiguous,
            zeroed: request.zeroed,
        })
    }

    /// Returns whether a resource is as a place of the heap wants it.
    pub(super) fn suits(&self, res: &LocalResource, place: &Place) -> bool {
        let contiguous = place.flags().contains(PlaceFlags::CONTIGUOUS);

        (!contiguous || res.is_contiguous()) && res.is_within(&self.range(place))
    }
}
