// SPDX-License-Identifier: GPL-2.0

//! The GART: a range of the kernel's address space that maps system memory for copies.

use core::{
    iter,
    ops::Range, //
};

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
    pool::{
        Chain,
        Pool, //
    }, //
};
use crate::hw::abi::limits::PAGE_SIZE;

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
        self.populate_kernel(|table, pool| table.insert_pages(&range, pool))?;
        let mut garbage = Chain::new();
        let segments = Contiguous::new(range.clone(), addresses);
        let result = self.with_kernel(|table| {
            // The job that uses the pages begins with an invalidation.
            table.map(&range, segments, true, &mut Pool::new(), &mut garbage)
        })?;
        if result.is_err() {
            // Once the device has stopped nothing is mapped.
            let _ = self.with_kernel(|table| table.unmap(&range));
        }
        if result.is_err() || !garbage.is_empty() {
            self.flush_kernel(range);
        }
        drop(garbage);
        result
    }
}

/// An iterator over the segments of pages from their DMA addresses, one per page.
struct Contiguous<I: Iterator<Item = DmaAddress>> {
    va: Range<u64>,
    addresses: iter::Peekable<I>,
}

impl<I: Iterator<Item = DmaAddress>> Contiguous<I> {
    fn new(va: Range<u64>, addresses: I) -> Self {
        Self {
            va,
            addresses: addresses.peekable(),
        }
    }
}

impl<I: Iterator<Item = DmaAddress>> Iterator for Contiguous<I> {
    type Item = (Range<u64>, Backing);

    fn next(&mut self) -> Option<Self::Item> {
        if self.va.is_empty() {
            return None;
        }
        let address = self.addresses.next()?;
        let start = self.va.start;
        self.va.start += PAGE_SIZE;
        while !self.va.is_empty()
            && self
                .addresses
                .next_if_eq(&(address + (self.va.start - start)))
                .is_some()
        {
            self.va.start += PAGE_SIZE;
        }
        Some((start..self.va.start, Backing::System(address)))
    }
}

/// Returns the addresses of pages of the GART.
fn addresses_of(pages: Range<u64>) -> Result<Range<u64>> {
    if pages.is_empty() || pages.end > GART_SIZE / PAGE_SIZE {
        return Err(EINVAL);
    }
    Ok(GART_BASE + pages.start * PAGE_SIZE..GART_BASE + pages.end * PAGE_SIZE)
}
