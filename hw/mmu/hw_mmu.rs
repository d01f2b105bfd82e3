// SPDX-License-Identifier: GPL-2.0

//! The MMU of a device: its address spaces and their mappings.

use core::ops::Range;

use kernel::{
    device::Device,
    dma::DmaAddress,
    fmt::{
        Result as FmtResult,
        Write, //
    },
    prelude::*,
    sync::Arc, //
};

use super::{
    backing::Backing,
    layout,
    node::{
        Chain,
        Pool, //
    },
    space::{
        Space,
        SpaceId,
        KERNEL_SPACE, //
    },
    table::{
        Depth,
        PageTable, //
    },
    tlb::{
        HangHandler,
        Invalidation,
        Tlb, //
    }, //
};
use crate::{
    hw::{
        abi::limits::{
            ADDRESS_SPACES,
            PAGE_SIZE,
            VA_BITS, //
        },
        info::Info,
        regs::Regs, //
    },
    rust::devres::BoundDevice, //
};

/// The MMU.
#[pin_data]
pub(in crate::hw) struct Mmu {
    regs: Regs,
    bound: BoundDevice,
    #[pin]
    tlb: Tlb,
    spaces: KVec<Pin<KBox<Space>>>,
}

impl Mmu {
    /// Makes the kernel's address space, with all of VRAM and of the scratchpad mapped. The device
    /// does not use it before [`Self::start`].
    pub(in crate::hw) fn new(
        dev: &Device,
        regs: Regs,
        bound: BoundDevice,
        info: &Info,
    ) -> Result<Arc<Self>> {
        let mut spaces = KVec::new();
        for _ in 0..ADDRESS_SPACES {
            spaces.push(KBox::pin_init(Space::new(), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        let this = Arc::pin_init(
            pin_init!(Self {
                tlb <- Tlb::new(dev, &regs),
                regs,
                bound,
                spaces,
            }),
            GFP_KERNEL,
        )?;

        let table = PageTable::new(&this.bound)?;
        this.space(KERNEL_SPACE).state.lock().table = Some(table);
        let vram = layout::vram(info.vram_size);
        this.map_whole(vram, Backing::Vram(0), Depth::Blocks)?;
        if info.scratchpad_size != 0 {
            let scratchpad = layout::scratchpad(info.scratchpad_size);
            this.map_whole(scratchpad, Backing::Scratchpad(0), Depth::Pages)?;
        }
        Ok(this)
    }

    /// Maps a range of the kernel's address space for good.
    fn map_whole(&self, range: Range<u64>, backing: Backing, depth: Depth) -> Result {
        self.populate(KERNEL_SPACE, &range, depth, |_| ())?;
        self.with(KERNEL_SPACE, |table| {
            table.map(&range, backing, true, depth)
        })
        .ok_or(EINVAL)?
        // Nothing was mapped there, so the TLB has nothing to invalidate.
        .map(|_| ())
    }

    /// Sets the root of the kernel's address space.
    pub(in crate::hw) fn start(&self) {
        self.with(KERNEL_SPACE, |table| {
            self.regs.set_root(KERNEL_SPACE.number, table.root())
        });
    }

    /// Frees all page tables, which the device does not use any more.
    pub(in crate::hw) fn stop(&self) {
        for space in &self.spaces {
            let mut state = space.state.lock();
            state.generation += 1;
            let old = state.table.take();
            drop(state);
            drop(old);
        }
    }

    /// Sets the roots of all address spaces after a reset of the device.
    pub(in crate::hw) fn restore(&self) {
        self.tlb.recovered();
        for (number, space) in (0..).zip(&self.spaces) {
            let state = space.state.lock();
            if let Some(table) = &state.table {
                self.regs.set_root(number, table.root());
            }
        }
    }

    /// Prints the address spaces in use.
    pub(in crate::hw) fn print(&self, out: &mut dyn Write) -> FmtResult {
        for (number, space) in self.spaces.iter().enumerate() {
            if let Some(table) = &space.state.lock().table {
                writeln!(out, "address space {}: root {:#x}", number, table.root())?;
            }
        }
        Ok(())
    }

    /// Maps `size` bytes of system memory at `address` to `va` in the kernel's address space.
    pub(in crate::hw) fn map_kernel(&self, va: u64, address: DmaAddress, size: u64) -> Result {
        let range = range(va..va.checked_add(size).ok_or(EINVAL)?)?;
        self.map_whole(range, Backing::System(address), Depth::Pages)
    }

    /// Allocates an address space, an empty one. [`ENOSPC`] if all are in use.
    pub(in crate::hw) fn alloc(&self) -> Result<SpaceId> {
        let new = PageTable::new(&self.bound)?;
        for (number, space) in (0..).zip(&self.spaces).skip(1) {
            let mut state = space.state.lock();
            if state.table.is_none() {
                self.regs.set_root(number, new.root());
                state.table = Some(new);
                return Ok(SpaceId {
                    number,
                    generation: state.generation,
                });
            }
        }
        Err(ENOSPC)
    }

    /// Frees an address space and all of its page tables. No engine may use it any more.
    pub(in crate::hw) fn free(&self, id: SpaceId) {
        let mut state = self.space(id).state.lock();
        if state.generation != id.generation {
            return;
        }
        // This invalidates the TLB for the address space, too.
        self.regs.set_root(id.number, 0);
        state.generation += 1;
        let old = state.table.take();
        drop(state);
        drop(old);
    }

    /// Sets the handler of a hung TLB, or [`None`] before the device stops for good.
    pub(in crate::hw) fn set_hang_handler(&self, handler: Option<KBox<dyn HangHandler>>) {
        self.tlb.set_hang_handler(handler);
    }

    /// Returns whether the TLB hung and the device is not recovered yet.
    pub(in crate::hw) fn is_hung(&self) -> bool {
        self.tlb.is_hung()
    }

    /// See [`Gpu::space_flush`](crate::hw::Gpu::space_flush).
    pub(in crate::hw) fn flush(&self, id: SpaceId, va: Range<u64>) {
        self.tlb.flush(id, va);
    }

    /// See [`Gpu::space_invalidate`](crate::hw::Gpu::space_invalidate).
    pub(in crate::hw) fn invalidate(&self, id: SpaceId, va: Range<u64>) -> Option<Invalidation> {
        self.tlb.invalidate(id, va)
    }

    /// See [`Gpu::wait_invalidated`](crate::hw::Gpu::wait_invalidated).
    pub(in crate::hw) fn wait(&self, invalidation: Invalidation) {
        self.tlb.wait(invalidation);
    }

    /// See [`Gpu::space_prepare`](crate::hw::Gpu::space_prepare).
    pub(in crate::hw) fn prepare(&self, id: SpaceId, va: Range<u64>) -> Result {
        let range = range(va)?;
        self.populate(id, &range, Depth::Pages, |table| table.retain(&range))
    }

    /// See [`Gpu::space_release`](crate::hw::Gpu::space_release).
    pub(in crate::hw) fn release(&self, id: SpaceId, va: Range<u64>) {
        let Ok(range) = range(va) else {
            return;
        };
        let mut garbage = Chain::new();
        self.with(id, |table| table.release(&range, &mut garbage));
        // The memory of these tables, and of the mappings, may be reused after this.
        self.flush(id, range);
        drop(garbage);
    }

    /// See [`Gpu::space_map`](crate::hw::Gpu::space_map).
    pub(in crate::hw) fn map(
        &self,
        id: SpaceId,
        va: Range<u64>,
        backing: Backing,
        writable: bool,
    ) -> Result {
        let range = range(va)?;
        let hides_tables = self
            .with(id, |table| {
                table.map(&range, backing, writable, Depth::Pages)
            })
            .ok_or(ENOENT)??;
        if hides_tables {
            self.flush(id, range);
        }
        Ok(())
    }

    /// See [`Gpu::space_unmap`](crate::hw::Gpu::space_unmap).
    pub(in crate::hw) fn unmap(&self, id: SpaceId, va: Range<u64>) {
        if let Ok(range) = range(va) {
            self.with(id, |table| table.unmap(&range));
        }
    }

    /// Unmaps those pages of a range that are mapped to `backing` and the addresses that follow it.
    /// Returns whether there were any; then [`Self::flush`] has to follow.
    pub(super) fn unmap_backing(&self, id: SpaceId, va: Range<u64>, backing: Backing) -> bool {
        range(va)
            .ok()
            .and_then(|range| self.with(id, |table| table.unmap_backing(&range, backing)))
            .unwrap_or(false)
    }

    fn space(&self, id: SpaceId) -> &Space {
        // PANIC: There are `ADDRESS_SPACES` of them; a `SpaceId` is made for one of them only.
        &self.spaces[id.number as usize]
    }

    /// Calls `f` with the page table of an address space, unless that was freed.
    pub(super) fn with<T>(&self, id: SpaceId, f: impl FnOnce(&mut PageTable) -> T) -> Option<T> {
        let mut state = self.space(id).state.lock();
        if state.generation != id.generation {
            return None;
        }
        state.table.as_mut().map(f)
    }

    /// Allocates the page tables for `range`, and calls `then` before they can be released again.
    pub(super) fn populate(
        &self,
        id: SpaceId,
        range: &Range<u64>,
        depth: Depth,
        then: impl Fn(&mut PageTable),
    ) -> Result {
        let mut pool = Pool::new();
        loop {
            let missing = self
                .with(id, |table| {
                    table
                        .populate(range, depth, &mut pool)
                        .map(|()| then(table))
                })
                .ok_or(ENOENT)?;
            match missing {
                Ok(()) => return Ok(()),
                Err(count) => pool.fill(&self.bound, count)?,
            }
        }
    }
}

/// Returns `va` if it is a valid range of pages.
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
