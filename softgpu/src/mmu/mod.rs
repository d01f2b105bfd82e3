// SPDX-License-Identifier: GPL-2.0

//! Address spaces, their page tables and the TLB.

mod engine_tlb;
mod tlb;
mod walk;

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::abi::{limits, pte};
use crate::cost::{Path, Translations};
use crate::dma::Dma;
use crate::fault::Reason;
use crate::vram::Vram;

use engine_tlb::EngineTlb;
use tlb::Tlb;
use walk::Step;
pub use walk::{Page, Target};

const SPACES: usize = limits::ADDRESS_SPACES as usize;

/// Sizes of pages, smallest first.
const SIZES: [u64; 3] = [limits::PAGE_SIZE, pte::BLOCK_64K_SIZE, pte::BLOCK_2M];

/// The MMU: the roots of the address spaces, and the TLBs.
#[derive(Default)]
pub struct Mmu {
    roots: [u64; SPACES],
    tlb: Mutex<Tlb>,
    engines: [Mutex<EngineTlb>; limits::MAX_ENGINES as usize],
}

impl Mmu {
    fn tlb(&self) -> MutexGuard<'_, Tlb> {
        self.tlb.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up the page of `space` at `address`, which has at most 48 bits: in the TLB, or by a
    /// walk from the lowest table that the TLB has.
    pub fn lookup(&self, vram: &Vram, dma: &Dma, space: u32, address: u64) -> Result<Page, Reason> {
        let mut tlb = self.tlb();
        if let Some(page) = tlb.get(space, address) {
            return Ok(page);
        }
        let from = match tlb.step(space, address) {
            Some(step) => step,
            None => Step::root(self.roots[space as usize])?,
        };
        let page = walk::walk(vram, dma, from, address, |step| {
            tlb.insert_step(space, address, step);
        })?;
        tlb.insert(space, page);
        Ok(page)
    }

    /// Translates a range, which is not empty and has been looked up, by the TLB of engine number
    /// `engine`.
    pub fn translations(
        &self,
        vram: &Vram,
        dma: &Dma,
        engine: u32,
        space: u32,
        range: Range<u64>,
    ) -> Translations {
        let mut tlb = self.engines[engine as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut translations = Translations::default();
        let mut at = range.start;
        while at < range.end {
            if let Some(end) = tlb.hit(space, at) {
                translations.hits += 1;
                at = end;
            } else if let Ok(page) = self.lookup(vram, dma, space, at) {
                tlb.insert(space, page.start, page.size);
                match page.table {
                    Path::System => translations.system_walks += 1,
                    _ => translations.vram_walks += 1,
                }
                at = page.start + page.size;
            } else {
                // The guest has changed the table since.
                break;
            }
        }
        translations
    }

    /// Sets the root of `space` and invalidates its translations.
    pub fn set_root(&mut self, space: u32, root: u64) {
        self.roots[space as usize] = root;
        self.invalidate(space, 0, 0);
    }

    /// Invalidates the translations of `size` bytes of `space` from `start`; of all of it if `size`
    /// is 0.
    pub fn invalidate(&mut self, space: u32, start: u64, size: u64) {
        let end = match size {
            0 => u64::MAX,
            size => start.saturating_add(size),
        };
        let start = if size == 0 { 0 } else { start };
        if size == 0 {
            self.tlb().forget_space(space);
        } else {
            self.tlb().forget(space, start, end);
        }
        for engine in &mut self.engines {
            engine
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner)
                .forget(space, start, end);
        }
    }

    /// Empties all address spaces.
    pub fn reset(&mut self) {
        self.roots = Default::default();
        self.tlb().forget_all();
        self.engines = Default::default();
    }
}
