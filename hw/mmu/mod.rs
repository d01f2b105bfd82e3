// SPDX-License-Identifier: GPL-2.0

//! The MMU: address spaces and the device's cache of their translations.

mod gart;
mod layout;
mod node;
mod table;

use core::ops::Range;
use kernel::{
    dma::DmaAddress,
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

use self::{
    node::{
        Chain,
        Pool, //
    },
    table::{
        Depth,
        PageTable, //
    }, //
};
use super::{
    abi::{
        limits::{
            ADDRESS_SPACES,
            PAGE_SIZE,
            VA_BITS, //
        },
        regs::*, //
    },
    regs::Regs, //
};
use crate::rust::devres::BoundDevice;

pub(super) use self::layout::KERNEL_BASE;

/// The kernel's address space.
const KERNEL: usize = 0;

/// The number of an address space that a VM owns.
#[derive(Debug)]
pub(crate) struct SpaceId(u32);

/// What is behind a range of addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backing {
    /// VRAM from this offset.
    Vram(u64),
    /// Memory that the device reaches by DMA, from this address.
    System(DmaAddress),
}

/// The MMU.
#[pin_data]
pub(super) struct Mmu {
    regs: Regs,
    bound: BoundDevice,
    /// Makes one invalidation of the several register writes that it takes.
    #[pin]
    invalidation: Mutex<()>,
    spaces: KVec<Pin<KBox<Space>>>,
}

/// An address space; none if it is free.
#[pin_data]
struct Space {
    #[pin]
    table: Mutex<Option<PageTable>>,
}

impl SpaceId {
    /// The number that the device knows the address space by.
    pub(crate) fn number(&self) -> u32 {
        self.0
    }

    fn index(&self) -> usize {
        self.0 as usize
    }
}

impl Space {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            table <- new_mutex!(None, "Space::table"),
        })
    }
}

impl Mmu {
    /// Makes the kernel's address space, with `vram_size` bytes of VRAM mapped. The device does not
    /// use it before [`Self::start`].
    pub(super) fn new(regs: Regs, bound: BoundDevice, vram_size: u64) -> Result<Pin<KBox<Self>>> {
        let mut spaces = KVec::new();
        for _ in 0..ADDRESS_SPACES {
            spaces.push(KBox::pin_init(Space::new(), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        let this = KBox::pin_init(
            pin_init!(Self {
                regs,
                bound,
                invalidation <- new_mutex!((), "Mmu::invalidation"),
                spaces,
            }),
            GFP_KERNEL,
        )?;

        *this.space(KERNEL).table.lock() = Some(PageTable::new(&this.bound)?);
        let range = layout::vram(vram_size);
        this.populate(KERNEL, &range, Depth::Blocks, |_| ())?;
        this.with(KERNEL, |table| {
            table.map(&range, Backing::Vram(0), true, Depth::Blocks)
        })
        .ok_or(EINVAL)??;
        Ok(this)
    }

    /// Has the device use the kernel's address space.
    pub(super) fn start(&self) {
        self.with(KERNEL, |table| {
            self.regs.set_root(KERNEL as u32, table.root())
        });
    }

    /// Makes `size` bytes from `address` on readable and writable at `va` in the kernel's space.
    pub(super) fn map_kernel(&self, va: u64, address: DmaAddress, size: u64) -> Result {
        let range = range(va..va.checked_add(size).ok_or(EINVAL)?)?;
        self.populate(KERNEL, &range, Depth::Pages, |_| ())?;
        self.with(KERNEL, |table| {
            table.map(&range, Backing::System(address), true, Depth::Pages)
        })
        .ok_or(EINVAL)?
    }

    /// Finds a free address space and makes it an empty one.
    pub(super) fn alloc(&self) -> Result<SpaceId> {
        let new = PageTable::new(&self.bound)?;
        for (number, space) in (0..).zip(&self.spaces).skip(KERNEL + 1) {
            let mut table = space.table.lock();
            if table.is_none() {
                self.regs.set_root(number, new.root());
                *table = Some(new);
                return Ok(SpaceId(number));
            }
        }
        Err(ENOSPC)
    }

    /// Frees an address space and all of its tables. No engine may use it any more.
    pub(super) fn free(&self, id: SpaceId) {
        let mut table = self.space(id.index()).table.lock();
        // This forgets the cached translations, too.
        self.regs.set_root(id.0, 0);
        let old = table.take();
        drop(table);
        drop(old);
    }

    /// See [`Gpu::space_prepare`](super::Gpu::space_prepare).
    pub(super) fn prepare(&self, id: &SpaceId, va: Range<u64>) -> Result {
        let range = range(va)?;
        self.populate(id.index(), &range, Depth::Pages, |table| {
            table.retain(&range)
        })
    }

    /// See [`Gpu::space_release`](super::Gpu::space_release).
    pub(super) fn release(&self, id: &SpaceId, va: Range<u64>) {
        let Ok(range) = range(va) else {
            return;
        };
        let mut garbage = Chain::new();
        self.with(id.index(), |table| table.release(&range, &mut garbage));
        if !garbage.is_empty() {
            self.flush(id, range);
        }
    }

    /// See [`Gpu::space_map`](super::Gpu::space_map).
    pub(super) fn map(
        &self,
        id: &SpaceId,
        va: Range<u64>,
        backing: Backing,
        writable: bool,
    ) -> Result {
        let range = range(va)?;
        self.with(id.index(), |table| {
            table.map(&range, backing, writable, Depth::Pages)
        })
        .ok_or(EINVAL)?
    }

    /// See [`Gpu::space_unmap`](super::Gpu::space_unmap).
    pub(super) fn unmap(&self, id: &SpaceId, va: Range<u64>) {
        if let Ok(range) = range(va) {
            self.with(id.index(), |table| table.unmap(&range));
        }
    }

    /// Has the device forget the translations of a range.
    pub(super) fn flush(&self, id: &SpaceId, va: Range<u64>) {
        self.invalidate(id.0, va);
    }

    fn invalidate(&self, space: u32, va: Range<u64>) {
        if va.is_empty() {
            // A size of 0 would mean everything.
            return;
        }
        let _guard = self.invalidation.lock();
        self.regs.write64(TLB_START_LO, va.start);
        self.regs.write64(TLB_SIZE_LO, va.end - va.start);
        self.regs.write(TLB_INVALIDATE, space);
        self.regs.flush();
    }

    fn space(&self, index: usize) -> &Space {
        // PANIC: There are `ADDRESS_SPACES` of them; a `SpaceId` is made for one of them only.
        &self.spaces[index]
    }

    fn with<T>(&self, index: usize, f: impl FnOnce(&mut PageTable) -> T) -> Option<T> {
        Option::as_mut(&mut self.space(index).table.lock()).map(f)
    }

    /// Makes the tables for `range` and runs `then` before anybody can take them away again.
    fn populate(
        &self,
        index: usize,
        range: &Range<u64>,
        depth: Depth,
        then: impl Fn(&mut PageTable),
    ) -> Result {
        let mut pool = Pool::new();
        loop {
            let missing = self
                .with(index, |table| {
                    table
                        .populate(range, depth, &mut pool)
                        .map(|()| then(table))
                })
                .ok_or(EINVAL)?;
            match missing {
                Ok(()) => return Ok(()),
                Err(count) => pool.fill(&self.bound, count)?,
            }
        }
    }
}

/// Makes sure that there can be pages in `va`.
fn range(va: Range<u64>) -> Result<Range<u64>> {
    if va.is_empty()
        || va.start % PAGE_SIZE != 0
        || va.end % PAGE_SIZE != 0
        || va.end > 1 << VA_BITS
    {
        return Err(EINVAL);
    }
    Ok(va)
}
