// SPDX-License-Identifier: GPL-2.0

//! Device-local memory of a BO: VRAM or scratchpad.

use core::ops::Range;

use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::{
    Scratchpad,
    Vram, //
};
use crate::{
    hw::{
        Backing,
        Gpu, //
    },
    rust::{
        drm::ttm::Resource,
        gpu::buddy::{
            Block,
            Blocks,
            Cleared,
            Clearing, //
        }, //
    }, //
};

/// A contiguous extent of device-local memory.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// Offset in the memory, in bytes.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) size: u64,
}

impl Extent {
    /// Returns the offset of its end.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.size
    }
}

/// A kind of device-local memory.
#[derive(Clone, Copy)]
pub(super) enum LocalMemory {
    /// VRAM.
    Vram,
    /// The scratchpad.
    Scratchpad,
}

impl LocalMemory {
    /// Returns what a page table says of an offset.
    pub(super) fn backing(self, offset: u64) -> Backing {
        match self {
            Self::Vram => Backing::Vram(offset),
            Self::Scratchpad => Backing::Scratchpad(offset),
        }
    }
}

/// A BO's share of visible VRAM.
pub(super) struct VisibleShare {
    bytes: i64,
    used: Arc<Atomic<i64>>,
}

impl VisibleShare {
    /// Counts the part of `extents` below `visible` as used.
    pub(super) fn new(visible: u64, used: &Arc<Atomic<i64>>, extents: &[Extent]) -> Self {
        let bytes: u64 = extents
            .iter()
            .map(|extent| extent.end().min(visible).saturating_sub(extent.offset))
            .sum();
        let bytes = bytes as i64;

        used.fetch_add(bytes, Relaxed);
        Self {
            bytes,
            used: used.clone(),
        }
    }
}

impl Drop for VisibleShare {
    fn drop(&mut self) {
        self.used.fetch_add(-self.bytes, Relaxed);
    }
}

/// The device-local memory of one BO.
#[pin_data]
pub(crate) struct LocalResource {
    memory: LocalMemory,
    blocks: Blocks,
    extents: KVec<Extent>,
    /// The extents that are not known to be zero, unless that is all or none.
    dirty: KVec<Extent>,
    _visible: Option<VisibleShare>,
}

impl LocalResource {
    /// Returns the initializer of a resource of `size` bytes in the blocks that `blocks` allocates.
    pub(super) fn new<'a>(
        memory: LocalMemory,
        blocks: impl FnOnce() -> Result<Blocks> + 'a,
        size: u64,
        visible: impl FnOnce(&[Extent]) -> Option<VisibleShare> + 'a,
    ) -> impl PinInit<Self, Error> + 'a {
        try_pin_init!(Self {
            memory,
            blocks: blocks()?,
            extents: join(blocks, size, |_| true)?,
            dirty: match blocks.cleared() {
                Cleared::None | Cleared::All => KVec::new(),
                Cleared::Some => join(blocks, size, |block| !block.cleared)?,
            },
            _visible: visible(extents),
        }? Error)
    }

    /// Returns the device-local memory that a resource is; [`None`] for one of system pages.
    pub(crate) fn of(res: &Resource) -> Option<&Self> {
        match res.of_manager::<Vram>() {
            Some((_, local)) => Some(local),
            None => res.of_manager::<Scratchpad>().map(|(_, local)| local),
        }
    }

    /// Returns the extents in the order of the BO's bytes; neighbours are joined. The caller may
    /// write there: from now on they are not known to be zero.
    pub(crate) fn extents(&self) -> &[Extent] {
        self.blocks.mark_used();
        &self.extents
    }

    /// Returns the extents that were not known to be zero when they were allocated: they have to be
    /// cleared before a BO that reads as zeros can have this memory.
    pub(crate) fn dirty_extents(&self) -> &[Extent] {
        match self.blocks.cleared() {
            Cleared::None => &self.extents,
            Cleared::Some | Cleared::All => &self.dirty,
        }
    }

    /// Returns the clear of those; [`None`] if there is nothing to clear.
    pub(crate) fn clearing(&self) -> Option<Clearing> {
        self.blocks.clearing()
    }

    /// Returns the extent from a byte of the BO on. The caller may write there.
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

    /// Returns what a page table says of an offset in the memory.
    pub(super) fn backing(&self, offset: u64) -> Backing {
        self.memory.backing(offset)
    }

    /// Returns the address of an offset in the memory, in the kernel's address space.
    pub(crate) fn va(&self, gpu: &Gpu, offset: u64) -> u64 {
        match self.memory {
            LocalMemory::Vram => gpu.vram_va(offset),
            LocalMemory::Scratchpad => gpu.scratchpad_va(offset),
        }
    }

    /// Returns whether some of the page at an offset in the memory is among it.
    pub(crate) fn has_page(&self, offset: u64) -> bool {
        self.overlaps(&(offset..offset + PAGE_SIZE as u64))
    }

    /// Returns the offset of the BO's first byte in the memory.
    pub(crate) fn start(&self) -> Option<u64> {
        self.extents.first().map(|extent| extent.offset)
    }

    /// Returns whether all of it is below an offset in the memory.
    pub(crate) fn is_below(&self, end: u64) -> bool {
        self.is_within(&(0..end))
    }

    /// Returns whether all of it is in a range.
    pub(super) fn is_within(&self, range: &Range<u64>) -> bool {
        self.extents
            .iter()
            .all(|extent| extent.offset >= range.start && extent.end() <= range.end)
    }

    /// Returns whether some of it is in a range.
    pub(super) fn overlaps(&self, range: &Range<u64>) -> bool {
        self.extents
            .iter()
            .any(|extent| extent.offset < range.end && extent.end() > range.start)
    }

    /// Returns whether it is one extent.
    pub(super) fn is_contiguous(&self) -> bool {
        self.extents.len() == 1
    }
}

/// Joins those `wanted` of the blocks with the `left` bytes of a BO. An aligned BO may have got more.
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
