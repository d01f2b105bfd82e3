// SPDX-License-Identifier: GPL-2.0

//! The GART: a window of the kernel's address space to memory that the device reaches by DMA.

use core::ops::Range;

use kernel::{
    dma::DmaAddress,
    prelude::*, //
};

use super::{
    layout::{
        GART_BASE,
        GART_SIZE,
        SCRATCHPAD_BASE,
        VRAM_BASE, //
    },
    table::{
        Depth,
        PageTable, //
    },
    Backing,
    Mmu,
    KERNEL_SPACE, //
};
use crate::hw::abi::limits::PAGE_SIZE;

/// A piece of the window whose pages follow each other in memory as well.
struct Run {
    va: u64,
    address: DmaAddress,
    size: u64,
}

impl Run {
    fn map(&self, table: &mut PageTable) -> Result {
        let range = self.va..self.va + self.size;
        // The job that uses the window begins with an invalidation.
        table
            .map(&range, Backing::System(self.address), true, Depth::Pages)
            .map(|_| ())
    }
}

impl Mmu {
    /// Address of an offset in the window.
    pub(in crate::hw) fn gart_va(&self, offset: u64) -> u64 {
        GART_BASE + offset
    }

    /// Address of an offset in VRAM.
    pub(in crate::hw) fn vram_va(&self, offset: u64) -> u64 {
        VRAM_BASE + offset
    }

    /// Address of an offset in the scratchpad.
    pub(in crate::hw) fn scratchpad_va(&self, offset: u64) -> u64 {
        SCRATCHPAD_BASE + offset
    }

    /// See [`Gpu::gart_map`](crate::hw::Gpu::gart_map).
    pub(in crate::hw) fn gart_map(
        &self,
        pages: Range<u64>,
        addresses: impl Iterator<Item = DmaAddress>,
    ) -> Result {
        let range = window(pages)?;
        self.populate(KERNEL_SPACE, &range, Depth::Pages, |_| ())?;
        let result = self
            .with(KERNEL_SPACE, |table| map_pages(table, &range, addresses))
            .ok_or(EINVAL)?;
        if result.is_err() {
            self.unmap_window(range);
        }
        result
    }

    fn unmap_window(&self, range: Range<u64>) {
        self.with(KERNEL_SPACE, |table| table.unmap(&range));
        self.flush(KERNEL_SPACE, range);
    }
}

fn map_pages(
    table: &mut PageTable,
    range: &Range<u64>,
    mut addresses: impl Iterator<Item = DmaAddress>,
) -> Result {
    let mut run: Option<Run> = None;
    for va in range.clone().step_by(PAGE_SIZE as usize) {
        let address = addresses.next().ok_or(EINVAL)?;
        match &mut run {
            Some(run) if run.address.checked_add(run.size) == Some(address) => {
                run.size += PAGE_SIZE;
            }
            _ => {
                let next = Run {
                    va,
                    address,
                    size: PAGE_SIZE,
                };
                if let Some(run) = run.replace(next) {
                    run.map(table)?;
                }
            }
        }
    }
    run.map_or(Ok(()), |run| run.map(table))
}

/// The addresses of pages of the window.
fn window(pages: Range<u64>) -> Result<Range<u64>> {
    if pages.is_empty() || pages.end > GART_SIZE / PAGE_SIZE {
        return Err(EINVAL);
    }
    Ok(GART_BASE + pages.start * PAGE_SIZE..GART_BASE + pages.end * PAGE_SIZE)
}
