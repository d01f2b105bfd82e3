// SPDX-License-Identifier: GPL-2.0

//! Memory as the engines see it: through address spaces, a bounded piece at a time.
//!
//! All of it is behind one lock. An engine holds it shared while it translates and touches a piece;
//! whoever changes what memory there is, or what the MMU remembers, holds it exclusively. So when
//! an invalidation or an unmapping is done, no access that began before it is still under way.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use vm_memory::VolatileSlice;

use crate::abi::limits;
use crate::cost::{Path, Translations};
use crate::dma::{self, Dma};
use crate::fault::{Access, Fault, Reason};
use crate::mmu::{Mmu, Target};
use crate::scratchpad::Scratchpad;
use crate::vram::Vram;

/// The longest piece: short enough that a writer of the lock, or a reset, never waits long.
const PIECE: u64 = 1 << 20;

/// What the lock protects.
pub struct View {
    /// The GPU's own memory.
    pub vram: Arc<Vram>,
    /// The memory on its chip.
    pub scratchpad: Scratchpad,
    /// Guest memory, and that of other GPUs.
    pub dma: Dma,
    /// Address spaces.
    pub mmu: Mmu,
    /// Whether atomics may go to guest memory.
    pub system_atomics: bool,
}

/// Memory behind consecutive addresses of an address space.
pub enum Piece<'a> {
    /// This memory, and the way to it.
    Memory(Path, VolatileSlice<'a>),
    /// No memory, for so many bytes: reads give zeros, writes are dropped.
    Sparse(u64),
}

impl Piece<'_> {
    /// Bytes, at least 1.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(_, slice) => slice.len() as u64,
            Self::Sparse(length) => *length,
        }
    }

    /// The way to it, if it is memory.
    pub fn path(&self) -> Option<Path> {
        match self {
            Self::Memory(path, _) => Some(*path),
            Self::Sparse(_) => None,
        }
    }
}

impl View {
    /// The memory behind `address` in `space`: at most `length` bytes, which is not 0, and less
    /// where it is not contiguous or very long.
    pub fn piece(
        &self,
        space: u32,
        address: u64,
        length: u64,
        access: Access,
    ) -> Result<Piece<'_>, Fault> {
        let fail = |reason| Fault {
            space,
            address,
            access,
            reason,
        };
        let write = access == Access::Write;
        if !in_range(address, length) {
            return Err(fail(Reason::OutOfRange));
        }
        let wanted = length.min(PIECE);
        let (target, mut found) = self.page(space, address, write).map_err(fail)?;
        // Pages that continue the first one join it. One that does not, or faults, is the next
        // piece's.
        while found < wanted {
            match self.page(space, address + found, write) {
                Ok((next, more)) if next == target.advance(found) => found += more,
                _ => break,
            }
        }
        let mut length = found.min(wanted);
        // What is before a bad page can still be read.
        if let Target::Vram(offset) = target
            && !write
            && let Some(bad) = self.vram.bad_pages.first_in(offset..offset + length)
        {
            length = bad - offset;
            if length == 0 {
                return Err(fail(Reason::Poisoned));
            }
        }
        let by = |path| move |memory| (path, memory);
        let reached = match target {
            Target::Sparse => return Ok(Piece::Sparse(length)),
            Target::Vram(offset) => self.vram.slice(offset, length).map(by(Path::Vram)),
            Target::Scratchpad(offset) => {
                let memory = self.scratchpad.slice(offset, length);
                memory.map(by(Path::Scratchpad))
            }
            Target::System(address) => self.dma.reach(address, length, write),
        };
        reached
            .map(|(path, memory)| Piece::Memory(path, memory))
            .ok_or_else(|| fail(Reason::BadAddress))
    }

    /// Fails if the memory at `address` was found to be gone when it was accessed, which is since
    /// [`losses`](dma::losses) was what is given here.
    pub(crate) fn check_losses(
        &self,
        losses: usize,
        space: u32,
        address: u64,
        access: Access,
    ) -> Result<(), Fault> {
        if dma::losses() == losses {
            return Ok(());
        }
        self.piece(space, address, 1, access).map(drop)
    }

    /// Whether an atomic can be done there. Other GPUs complete none.
    pub fn takes_atomics(&self, path: Path) -> bool {
        match path {
            Path::Vram | Path::Scratchpad => true,
            Path::System => self.system_atomics,
            Path::Peer => false,
        }
    }

    /// What the translations of `length` bytes from `address`, which are some of a piece, take
    /// engine number `engine`.
    pub fn translations(&self, engine: u32, space: u32, address: u64, length: u64) -> Translations {
        let range = address..address + length;
        self.mmu
            .translations(&self.vram, &self.dma, engine, space, range)
    }

    /// What is behind `address`, and for how many bytes.
    fn page(&self, space: u32, address: u64, write: bool) -> Result<(Target, u64), Reason> {
        let page = self.mmu.lookup(&self.vram, &self.dma, space, address)?;
        if write && !page.writable {
            return Err(Reason::NotWritable);
        }
        let inside = address - page.start;
        Ok((page.target.advance(inside), page.size - inside))
    }
}

/// Whether `length` bytes from `address` are all inside an address space.
pub fn in_range(address: u64, length: u64) -> bool {
    address
        .checked_add(length)
        .is_some_and(|end| end <= 1 << limits::VA_BITS)
}

/// The lock.
pub struct Memory(RwLock<View>);

impl Memory {
    /// Memory of which nothing but the GPU's own is there yet.
    pub fn new(vram: Arc<Vram>, scratchpad: Scratchpad) -> Self {
        Self(RwLock::new(View {
            vram,
            scratchpad,
            dma: Dma::default(),
            mmu: Mmu::default(),
            system_atomics: false,
        }))
    }

    /// For a piece of work on memory.
    pub fn read(&self) -> RwLockReadGuard<'_, View> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a change; waits for all work under way.
    pub fn write(&self) -> RwLockWriteGuard<'_, View> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
