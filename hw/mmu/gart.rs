// SPDX-License-Identifier: GPL-2.0

//! The GART: a range of the kernel's address space that maps system memory for copies.

use core::ops::Range;

use kernel::{
    dma::DmaAddress,
    prelude::*, //
};

use super::{
    backing::Backing,
    hw_mmu::Mmu,
    layout::{
        GART_BASE,
        GART_SIZE,
        SCRATCHPAD_BASE,
        VRAM_BASE, //
    },
    table::{
        Depth,
        PageTable, //
    }, //
};
use crate::hw::abi::limits::PAGE_SIZE;

/// Pages of the GART whose DMA addresses are contiguous.
struct Contiguous {
    va: u64,
    address: DmaAddress,
    size: u64,
}

impl Contiguous {
    fn map(&self, table: &mut PageTable) -> Result {
        let range = self.va..self.va + self.size;
        // The job that uses the pages begins with an invalidation.
        table
            .map(&range, Backing::System(self.address), true, Depth::Pages)
            .map(|_| ())
    }
}

impl Mmu {
    /// Returns the address of an offset in the GART.
    pub(in crate::hw) fn gart_va(&self, offset: u64) -> u64 {
        GART_BASE + offset
    }

    /// Returns the address of an offset in VRAM.
    pub(in crate::hw) fn vram_va(&self, offset: u64) -> u64 {
        VRAM_BASE + offset
    }

    /// Returns the address of an offset in the scratchpad.
    pub(in crate::hw) fn scratchpad_va(&self, offset: u64) -> u64 {
        SCRATCHPAD_BASE + offset
    }

    /// See [`Gpu::gart_map`](crate::hw::Gpu::gart_map).
    pub(in crate::hw) fn gart_map(
        &self,
        pages: Range<u64>,
        addresses: impl Iterator<Item = DmaAddress>,
    ) -> Result {
        let range = addresses_of(pages)?;
        self.populate_kernel(&range, Depth::Pages)?;
        let result = self.with_kernel(|table| map_pages(table, &range, addresses))?;
        if result.is_err() {
            self.gart_unmap(range);
        }
        result
    }

    fn gart_unmap(&self, range: Range<u64>) {
        // Once the device has stopped nothing is mapped.
        let _ = self.with_kernel(|table| table.unmap(&range));
        self.flush_kernel(range);
    }
}

fn map_pages(
    table: &mut PageTable,
    range: &Range<u64>,
    mut addresses: impl Iterator<Item = DmaAddress>,
) -> Result {
    let mut current: Option<Contiguous> = None;
    for va in range.clone().step_by(PAGE_SIZE as usize) {
        let address = addresses.next().ok_or(EINVAL)?;
        match &mut current {
            Some(current) if current.address.checked_add(current.size) == Some(address) => {
                current.size += PAGE_SIZE;
            }
            _ => {
                let next = Contiguous {
                    va,
                    address,
                    size: PAGE_SIZE,
                };
                if let Some(previous) = current.replace(next) {
                    previous.map(table)?;
                }
            }
        }
    }
    current.map_or(Ok(()), |last| last.map(table))
}

/// Returns the addresses of pages of the GART.
fn addresses_of(pages: Range<u64>) -> Result<Range<u64>> {
    if pages.is_empty() || pages.end > GART_SIZE / PAGE_SIZE {
        return Err(EINVAL);
    }
    Ok(GART_BASE + pages.start * PAGE_SIZE..GART_BASE + pages.end * PAGE_SIZE)
}
