// SPDX-License-Identifier: GPL-2.0

//! Address spaces, their page tables and the TLB.

mod tlb;
mod walk;

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::abi::limits;
use crate::dma::Dma;
use crate::fault::Reason;
use crate::vram::Vram;

use tlb::Tlb;
pub use walk::{Page, Target};

const SPACES: usize = limits::ADDRESS_SPACES as usize;

/// The MMU: a root for each address space, and what it remembers of their page tables.
#[derive(Default)]
pub struct Mmu {
    roots: [u64; SPACES],
    tlb: Mutex<Tlb>,
}

impl Mmu {
    fn tlb(&self) -> MutexGuard<'_, Tlb> {
        self.tlb.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page of `space` at `address`, an address that exists: from the TLB or, if it is not
    /// there, from the page tables.
    pub fn lookup(&self, vram: &Vram, dma: &Dma, space: u32, address: u64) -> Result<Page, Reason> {
        if let Some(page) = self.tlb().get(space, address) {
            return Ok(page);
        }
        let root = self.roots[space as usize];
        let page = walk::walk(vram, dma, root, address)?;
        self.tlb().insert(space, page);
        Ok(page)
    }

    /// Gives `space` a root and forgets its translations.
    pub fn set_root(&mut self, space: u32, root: u64) {
        self.roots[space as usize] = root;
        self.tlb().forget_space(space);
    }

    /// Forgets the translations of `size` bytes of `space` from `start`; of all of it if `size` is
    /// 0.
    pub fn invalidate(&mut self, space: u32, start: u64, size: u64) {
        if size == 0 {
            self.tlb().forget_space(space);
        } else {
            self.tlb().forget(space, start, start.saturating_add(size));
        }
    }

    /// Empties all address spaces.
    pub fn reset(&mut self) {
        self.roots = Default::default();
        self.tlb().forget_all();
    }
}
