// SPDX-License-Identifier: GPL-2.0

//! Memory as the engines see it: through address spaces, a piece at a time.
//!
//! All of it is behind one lock. An engine holds it shared while it translates and touches pieces;
//! a change of the memory or of the MMU's caches holds it exclusively. So when an invalidation or
//! an unmapping is complete, no access that began before it is still under way.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use vm_memory::VolatileSlice;

use crate::abi::limits;
use crate::cost::{Path, Translations};
use crate::dma::{self, Dma};
use crate::fault::{Access, Fault, Reason};
use crate::mmu::{Mmu, Target};
use crate::scratchpad::Scratchpad;
use crate::vram::Vram;

/// The most bytes of a range that are accessed while the lock is held: few enough that a writer of
/// the lock, or a reset, never waits long, and so many that the host's `memcpy()` and `memset()`
/// see that they are more than its caches hold.
const AT_ONCE: u64 = 32 << 20;

/// The state that the lock protects.
pub struct View {
    /// The GPU's own memory.
    pub vram: Arc<Vram>,
    /// The memory on the chip.
    pub scratchpad: Scratchpad,
    /// Guest memory, and that of other GPUs.
    pub dma: Dma,
    /// Address spaces.
    pub mmu: Mmu,
    /// Whether atomics may go to guest memory.
    pub system_atomics: bool,
}

/// Memory behind consecutive addresses of an address space.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    /// Memory, and the path to it.
    Memory(Path, VolatileSlice<'a>),
    /// A number of bytes without memory: reads return zeros, writes are dropped.
    Sparse(u64),
}

impl Piece<'_> {
    /// Returns the number of bytes, at least 1.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(_, slice) => slice.len() as u64,
            Self::Sparse(length) => *length,
        }
    }

    /// Returns the path to the memory, if there is any.
    pub fn path(&self) -> Option<Path> {
        match self {
            Self::Memory(path, _) => Some(*path),
            Self::Sparse(_) => None,
        }
    }

    /// Returns all but the first `bytes` bytes; none if there are no more.
    fn without(self, bytes: u64) -> Option<Self> {
        if bytes >= self.length() {
            return None;
        }
        match self {
            Self::Memory(path, slice) => {
                let rest = slice.offset(bytes as usize).ok()?;
                Some(Self::Memory(path, rest))
            }
            Self::Sparse(length) => Some(Self::Sparse(length - bytes)),
        }
    }
}

/// A cursor over a range of an address space, which returns it piece by piece. Each page is looked
/// up once.
pub struct Cursor<'a> {
    view: &'a View,
    space: u32,
    access: Access,
    /// End of the current piece and start of the next one.
    at: u64,
    end: u64,
    piece: Option<Piece<'a>>,
    /// The page at `at` and the bytes of it from there on, if it was looked up to see whether it
    /// continues the piece.
    ahead: Option<(Target, u64)>,
}

impl<'a> Cursor<'a> {
    /// Returns the rest of the current piece; none at the end of the range.
    pub fn piece(&mut self) -> Result<Option<Piece<'a>>, Fault> {
        if self.piece.is_none() && self.at < self.end {
            self.piece = Some(self.next()?);
        }
        Ok(self.piece)
    }

    /// Advances by `bytes` bytes, at most to the end of the current piece.
    pub fn advance(&mut self, bytes: u64) {
        self.piece = self.piece.and_then(|piece| piece.without(bytes));
    }

    fn next(&mut self) -> Result<Piece<'a>, Fault> {
        let (view, address) = (self.view, self.at);
        let fail = |reason| Fault {
            space: self.space,
            address,
            access: self.access,
            reason,
        };
        let write = self.access == Access::Write;
        let (target, mut found) = match self.ahead.take() {
            Some(page) => page,
            None => view.page(self.space, address, write).map_err(fail)?,
        };
        // Pages that continue the first one join it. One that does not, or faults, is the next
        // piece's.
        let wanted = self.end - address;
        while found < wanted {
            match view.page(self.space, address + found, write) {
                Ok((next, more)) if next == target.advance(found) => found += more,
                other => {
                    self.ahead = other.ok();
                    break;
                }
            }
        }
        let length = found.min(wanted);
        let piece = view.reach(target, length, write).map_err(fail)?;
        if piece.length() < length {
            self.ahead = None;
        }
        self.at += piece.length();
        Ok(piece)
    }
}

impl View {
    /// Returns a cursor over `length` bytes from `address` in `space`, or over as many as may be
    /// accessed at once.
    ///
    /// # Errors
    ///
    /// The range is not inside the address space.
    pub fn cursor(
        &self,
        space: u32,
        address: u64,
        length: u64,
        access: Access,
    ) -> Result<Cursor<'_>, Fault> {
        if !in_range(address, length) {
            return Err(Fault {
                space,
                address,
                access,
                reason: Reason::OutOfRange,
            });
        }
        Ok(Cursor {
            view: self,
            space,
            access,
            at: address,
            end: address + length.min(AT_ONCE),
            piece: None,
            ahead: None,
        })
    }

    /// Returns the memory behind an aligned 64-bit word at `address` in `space`.
    pub fn word(&self, space: u32, address: u64, access: Access) -> Result<Piece<'_>, Fault> {
        self.cursor(space, address, 8, access)?.next()
    }

    /// Returns the memory of a target: at most `length` bytes, fewer where the host has them in
    /// several places.
    fn reach(&self, target: Target, mut length: u64, write: bool) -> Result<Piece<'_>, Reason> {
        // Bytes before a bad page can be read.
        if let Target::Vram(offset) = target
            && !write
            && let Some(bad) = self.vram.bad_pages.first_in(offset..offset + length)
        {
            length = bad - offset;
            if length == 0 {
                return Err(Reason::Poisoned);
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
            .ok_or(Reason::BadAddress)
    }

    /// Fails if the memory at `address` turned out to be gone since `losses` was read from
    /// [`dma::losses`].
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
        self.cursor(space, address, 1, access)?.next().map(drop)
    }

    /// Whether atomics may take a path. Other GPUs complete none.
    pub fn takes_atomics(&self, path: Path) -> bool {
        match path {
            Path::Vram | Path::Scratchpad => true,
            Path::System => self.system_atomics,
            Path::Peer => false,
        }
    }

    /// Translates `length` bytes from `address`, which are part of a piece, by the TLB of engine
    /// number `engine`.
    pub fn translations(&self, engine: u32, space: u32, address: u64, length: u64) -> Translations {
        let range = address..address + length;
        self.mmu
            .translations(&self.vram, &self.dma, engine, space, range)
    }

    /// Returns the target of `address`, and the number of bytes up to the end of its page.
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

/// The memory of a GPU behind its lock.
pub struct Memory(RwLock<View>);

impl Memory {
    /// Creates the memory of a GPU without a client.
    pub fn new(vram: Arc<Vram>, scratchpad: Scratchpad) -> Self {
        Self(RwLock::new(View {
            vram,
            scratchpad,
            dma: Dma::default(),
            mmu: Mmu::default(),
            system_atomics: false,
        }))
    }

    /// Takes the lock for accesses.
    pub fn read(&self) -> RwLockReadGuard<'_, View> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock for a change, after the accesses under way.
    pub fn write(&self) -> RwLockWriteGuard<'_, View> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
