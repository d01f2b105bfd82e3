// SPDX-License-Identifier: GPL-2.0

//! Memory of the GPU's own, handed out in blocks.
//!
//! The allocator gives the largest blocks that it has, in descending order and each aligned to its
//! size, so that a BO of 2 MiB or more is made of blocks of 2 MiB as far as there are any, then of
//! those of 64 KiB, and its mappings of pages of that size.

use core::ops::Range;

use kernel::{
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

use super::Extent;
use crate::{
    hw::VramGeneration,
    rust::{
        drm::ttm::{
            AllocRequest,
            Place,
            PlaceFlags, //
        },
        gpu::buddy::{
            Block,
            Blocks,
            Buddy,
            Cleared,
            Clearing,
            Request, //
        }, //
    }, //
};

const PAGE: u64 = PAGE_SIZE as u64;

/// A heap of pages.
pub(super) struct Heap {
    buddy: Buddy,
    /// Where those find their memory first who want it from the end.
    end: Range<u64>,
    /// What tells that the content was lost, for memory to which that may happen.
    generation: Option<VramGeneration>,
    /// What it told last.
    known: Atomic<u64>,
}

/// How the free part of a heap is cut up.
pub(crate) struct Fragmentation {
    /// Bytes that are free.
    pub(crate) free: u64,
    /// Bytes of those that are known to be zero.
    pub(crate) cleared: u64,
    /// How many free blocks there are of a page, of two, of four, and so on.
    pub(crate) free_blocks: KVec<u64>,
}

impl Fragmentation {
    /// Bytes of the largest free block.
    pub(crate) fn largest(&self) -> u64 {
        self.free_blocks
            .iter()
            .rposition(|&count| count != 0)
            .map_or(0, |order| PAGE << order)
    }
}

impl Heap {
    /// Makes a heap of `size` bytes.
    pub(super) fn new(size: u64) -> Result<Self> {
        Ok(Self {
            buddy: Buddy::new(size, Alignment::new::<PAGE_SIZE>())?,
            end: 0..0,
            generation: None,
            known: Atomic::new(0),
        })
    }

    /// Has those who want memory from the end find it in `end` first. The allocator itself would
    /// rather give them some that is known to be zero, wherever that is.
    pub(super) fn with_end(mut self, end: Range<u64>) -> Self {
        self.end = end;
        self
    }

    /// Has it take nothing for known any more when `generation` has changed.
    pub(super) fn with_generation(mut self, generation: &VramGeneration) -> Self {
        self.known = Atomic::new(generation.get());
        self.generation = Some(generation.clone());
        self
    }

    /// Forgets what is known to be zero if it was lost.
    fn notice_loss(&self) {
        let Some(generation) = &self.generation else {
            return;
        };
        let now = generation.get();
        if self.known.load(Relaxed) != now && self.known.xchg(now, Relaxed) != now {
            self.buddy.forget_zeros();
        }
    }

    /// Bytes, free or not.
    pub(super) fn size(&self) -> u64 {
        self.buddy.size()
    }

    /// How the free part is cut up.
    pub(super) fn fragmentation(&self) -> Result<Fragmentation> {
        Ok(Fragmentation {
            free: self.buddy.free(),
            cleared: self.buddy.cleared(),
            free_blocks: self.buddy.free_blocks()?,
        })
    }

    /// Takes the page at an offset out of use for good, now or when it is freed. Returns whether
    /// it is still in use. `EINVAL` if no page starts there.
    pub(super) fn retire(&self, offset: u64) -> Result<bool> {
        self.buddy.retire(offset)
    }

    /// Where each page is that was taken out of use, and whether it is still in use.
    pub(super) fn retired(&self) -> Result<KVec<(u64, bool)>> {
        self.buddy.retired()
    }

    /// The bytes that a place allows.
    pub(super) fn range(&self, place: &Place) -> Range<u64> {
        let end = place
            .end_page()
            .map_or(self.size(), |page| page.saturating_mul(PAGE));
        place.first_page().saturating_mul(PAGE)..end.min(self.size())
    }

    /// Whether a request can be met while all is free.
    pub(super) fn holds(&self, request: &AllocRequest<'_>) -> bool {
        self.request(request).is_ok()
    }

    /// Allocates. `ENOSPC` when there is no room.
    pub(super) fn alloc<'a>(
        &'a self,
        request: &'a AllocRequest<'_>,
    ) -> impl PinInit<Pieces, Error> + 'a {
        self.notice_loss();
        try_pin_init!(Pieces {
            blocks <- self.buddy.alloc(self.request(request)?),
            extents: join(&blocks, request.size as u64, |_| true)?,
            dirty: match blocks.cleared() {
                Cleared::None => None,
                Cleared::Some => Some(join(&blocks, request.size as u64, |block| !block.cleared)?),
                Cleared::All => Some(KVec::new()),
            },
        }? Error)
    }

    fn request(&self, request: &AllocRequest<'_>) -> Result<Request> {
        let alignment = Alignment::new_checked(request.alignment).ok_or(EINVAL)?;
        let range = self.range(request.place);
        let room = range.end.saturating_sub(range.start);
        let flags = request.place.flags();
        let contiguous = flags.contains(PlaceFlags::CONTIGUOUS);
        let everywhere = range == (0..self.size());

        // But for pieces anywhere, the allocator aligns nothing that is smaller than its alignment.
        let size = if contiguous || !everywhere {
            request.size.max(request.alignment) as u64
        } else {
            request.size as u64
        };
        // The allocator says EINVAL where TTM wants to hear ENOSPC. It rounds the size up: for one
        // block in a range to a power of two, for pieces to the alignment, and not at all when it
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

        let top_down = everywhere && flags.contains(PlaceFlags::TOPDOWN);
        Ok(Request {
            size,
            min_block: alignment,
            range: (!everywhere).then_some(range),
            preferred: (top_down && !self.end.is_empty()).then_some(self.end.clone()),
            top_down,
            contiguous,
            zeroed: request.zeroed,
        })
    }
}

/// The part of a heap that a BO has.
#[pin_data]
pub(super) struct Pieces {
    #[pin]
    blocks: Blocks,
    extents: KVec<Extent>,
    /// Those of `extents` that are not known to be zero; [`None`] for all of them.
    dirty: Option<KVec<Extent>>,
}

impl Pieces {
    /// The pieces in the order of the BO's bytes; neighbours are joined. Who asks may write there:
    /// from now on they are not known to be zero.
    pub(super) fn extents(&self) -> &[Extent] {
        self.blocks.mark_used();
        &self.extents
    }

    /// As [`Self::extents()`], for those who only look where they are.
    pub(super) fn peek(&self) -> &[Extent] {
        &self.extents
    }

    /// The pieces that were not known to be zero when they were allocated.
    pub(super) fn dirty_extents(&self) -> &[Extent] {
        self.dirty.as_deref().unwrap_or(&self.extents)
    }

    /// The clear of those, if they are for a BO that reads as zeros.
    pub(super) fn clearing(&self) -> Option<Clearing> {
        self.blocks.clearing()
    }

    /// Whether all of it is in a range.
    pub(super) fn is_within(&self, range: &Range<u64>) -> bool {
        self.extents
            .iter()
            .all(|extent| extent.offset >= range.start && extent.end() <= range.end)
    }

    /// Whether some of it is in a range.
    pub(super) fn overlaps(&self, range: &Range<u64>) -> bool {
        self.extents
            .iter()
            .any(|extent| extent.offset < range.end && extent.end() > range.start)
    }

    /// Whether it is as a place of the heap wants it.
    pub(super) fn suits(&self, heap: &Heap, place: &Place) -> bool {
        let contiguous = place.flags().contains(PlaceFlags::CONTIGUOUS);

        (!contiguous || self.extents.len() == 1) && self.is_within(&heap.range(place))
    }
}

/// Joins those of the blocks with the `left` bytes of a BO that somebody wants; an aligned one may
/// have got more.
fn join(blocks: &Blocks, mut left: u64, wanted: impl Fn(&Block) -> bool) -> Result<KVec<Extent>> {
    let mut extents = KVec::<Extent>::new();

    for block in blocks.iter() {
        let (offset, size) = (block.offset, block.size.min(left));

        left -= size;
        if size == 0 || !wanted(&block) {
            continue;
        }
        match extents.last_mut() {
            Some(last) if last.end() == offset => last.size += size,
            _ => extents.push(Extent { offset, size }, GFP_KERNEL)?,
        }
    }
    Ok(extents)
}
