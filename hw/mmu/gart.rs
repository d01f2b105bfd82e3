// SPDX-License-Identifier: GPL-2.0

//! The GART: a range of the kernel's address space that maps system memory for copies.

use core::{
    iter,
    ops::Range, //
};

use kernel::{
    dma::DmaAddress,
    prelude::*,
    sync::Arc, //
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

/// The most that is mapped at once: less than a page of the level above, which takes its place.
const PIECE: u64 = 1 << 20;

/// Pages whose DMA addresses are contiguous.
struct Contiguous {
    address: DmaAddress,
    size: u64,
}

/// A mapping in the GART to be written later, without allocating.
pub(crate) struct DeferredGart {
    mmu: Arc<Mmu>,
    va: u64,
    pages: KVVec<Contiguous>,
}

impl DeferredGart {
    /// Writes the mapping. Called when no job uses what was there.
    pub(crate) fn run(&self) -> Result {
        self.mmu.with_kernel(|table| {
            let mut va = self.va;
            for part in &self.pages {
                let end = va + part.size;
                let mut address = part.address;
                while va < end {
                    // The job that uses the pages begins with an invalidation. No entry takes the
                    // place of a table, which the next mapping needs.
                    let range = va..end.min((va / PIECE + 1) * PIECE);
                    let segment = iter::once((range.clone(), Backing::System(address)));
                    table.map(
                        &range,
                        segment,
                        true,
                        &mut Pool::new().all(),
                        &mut Chain::new(),
                    )?;
                    address += range.end - range.start;
                    va = range.end;
                }
            }
            Ok(())
        })?
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

    /// See [`Gpu::gart_mapping`](crate::hw::Gpu::gart_mapping).
    pub(in crate::hw) fn gart_mapping(
        self: &Arc<Self>,
        pages: Range<u64>,
        addresses: &[DmaAddress],
    ) -> Result<DeferredGart> {
        let range = addresses_of(pages)?;
        if range.end - range.start != addresses.len() as u64 * PAGE_SIZE {
            return Err(EINVAL);
        }
        self.populate_kernel(|table, pool| table.insert_pages(&range, pool))?;
        Ok(DeferredGart {
            mmu: self.clone(),
            va: range.start,
            pages: contiguous(addresses)?,
        })
    }
}

/// Joins the addresses of pages that follow each other.
fn contiguous(addresses: &[DmaAddress]) -> Result<KVVec<Contiguous>> {
    let follow = |pair: &&[DmaAddress]| pair[0].checked_add(PAGE_SIZE) == Some(pair[1]);
    let joints = addresses.windows(2).filter(follow).count();
    let mut pages = KVVec::<Contiguous>::with_capacity(addresses.len() - joints, GFP_KERNEL)?;

    for &address in addresses {
        match pages.last_mut() {
            Some(last) if last.address.checked_add(last.size) == Some(address) => {
                last.size += PAGE_SIZE;
            }
            _ => pages.push(
                Contiguous {
                    address,
                    size: PAGE_SIZE,
                },
                GFP_KERNEL,
            )?,
        }
    }
    Ok(pages)
}

/// Returns the addresses of pages of the GART.
fn addresses_of(pages: Range<u64>) -> Result<Range<u64>> {
    if pages.is_empty() || pages.end > GART_SIZE / PAGE_SIZE {
        return Err(EINVAL);
    }
    Ok(GART_BASE + pages.start * PAGE_SIZE..GART_BASE + pages.end * PAGE_SIZE)
}
