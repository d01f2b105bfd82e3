// SPDX-License-Identifier: GPL-2.0

//! Page-table walks.

use std::sync::atomic::Ordering;

use vm_memory::Bytes;

use crate::abi::{limits, pte};
use crate::cost::Path;
use crate::dma::Dma;
use crate::fault::Reason;
use crate::vram::Vram;

const KNOWN: u64 = pte::VALID
    | pte::WRITABLE
    | pte::SYSTEM
    | pte::SPARSE
    | pte::LEAF
    | pte::BLOCK_64K
    | pte::SCRATCHPAD
    | pte::ADDRESS;
/// Bits that entries that point to tables must not have.
const LEAF_ONLY: u64 = pte::LEAF | pte::BLOCK_64K | pte::SCRATCHPAD;
/// Bits of leaves of levels 2 and 3.
const LARGE_SPARSE: u64 = pte::LEAF | pte::SPARSE;
/// Bits of which an entry has one at most.
const BOTH: u64 = pte::SYSTEM | pte::SCRATCHPAD;
const ENTRY_SIZE: u64 = 8;

/// The target of a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// VRAM from this offset.
    Vram(u64),
    /// The scratchpad from this offset.
    Scratchpad(u64),
    /// Guest memory from this DMA address.
    System(u64),
    /// No memory.
    Sparse,
}

impl Target {
    /// The target `bytes` further.
    pub fn advance(self, bytes: u64) -> Self {
        match self {
            Self::Vram(offset) => Self::Vram(offset + bytes),
            Self::Scratchpad(offset) => Self::Scratchpad(offset + bytes),
            Self::System(address) => Self::System(address + bytes),
            Self::Sparse => Self::Sparse,
        }
    }
}

/// A page of the page tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// First GPU virtual address.
    pub start: u64,
    /// Bytes: one of the MMU's page sizes.
    pub size: u64,
    /// Target of its first address.
    pub target: Target,
    /// Whether it may be written.
    pub writable: bool,
    /// Path to the table that has its entry.
    pub table: Path,
}

/// A table on the way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Its level.
    pub(super) level: u32,
    /// The entry that points to it, a good one.
    pub(super) table: u64,
}

impl Step {
    /// The table that `root` points to.
    pub(super) fn root(root: u64) -> Result<Self, Reason> {
        check(root)?;
        if root & LEAF_ONLY != 0 {
            return Err(Reason::BadEntry);
        }
        Ok(Self {
            level: pte::LEVELS - 1,
            table: root,
        })
    }
}

/// The number of the lowest bit of an address that tells the entry in a table of `level`.
pub(super) const fn shift(level: u32) -> u32 {
    limits::PAGE_SIZE.trailing_zeros() + pte::ENTRIES.trailing_zeros() * level
}

/// Walks down from a table on the way to the page at `address`, an address that exists. Calls
/// `passed` with each table below it.
pub(super) fn walk(
    vram: &Vram,
    dma: &Dma,
    from: Step,
    address: u64,
    mut passed: impl FnMut(Step),
) -> Result<Page, Reason> {
    let mut entry = from.table;
    for level in (0..=from.level).rev() {
        let index = address >> shift(level) & (pte::ENTRIES as u64 - 1);
        let table = entry;
        entry = load(vram, dma, table, index)?;
        check(entry)?;
        let (leaf, reserved) = match level {
            0 => (true, pte::LEAF),
            1 if entry & pte::LEAF != 0 => (true, pte::BLOCK_64K),
            2.. if entry & LARGE_SPARSE == LARGE_SPARSE => (true, pte::BLOCK_64K),
            _ => (false, LEAF_ONLY),
        };
        if entry & reserved != 0 {
            return Err(Reason::BadEntry);
        }
        if leaf {
            return page(entry, table, level, address);
        }
        passed(Step {
            level: level - 1,
            table: entry,
        });
    }
    unreachable!("an entry of level 0 is a leaf or an error");
}

fn check(entry: u64) -> Result<(), Reason> {
    if entry & pte::VALID == 0 {
        Err(Reason::NotPresent)
    } else if entry & !KNOWN != 0 || entry & BOTH == BOTH {
        Err(Reason::BadEntry)
    } else {
        Ok(())
    }
}

/// Entry `index` of the table that `parent` points to.
fn load(vram: &Vram, dma: &Dma, parent: u64, index: u64) -> Result<u64, Reason> {
    let at = (parent & pte::ADDRESS) + index * ENTRY_SIZE;
    let slice = if parent & pte::SYSTEM != 0 {
        let reached = dma.reach(at, ENTRY_SIZE, false);
        reached.map(|(_, memory)| memory)
    } else if vram.bad_pages.first_in(at..at + ENTRY_SIZE).is_some() {
        return Err(Reason::Poisoned);
    } else {
        vram.slice(at, ENTRY_SIZE)
    };
    slice
        .and_then(|slice| slice.load::<u64>(0, Ordering::Acquire).ok())
        .map(u64::from_le)
        .ok_or(Reason::BadAddress)
}

fn page(entry: u64, table: u64, level: u32, address: u64) -> Result<Page, Reason> {
    let size = match level {
        // The TLB has a larger one piece by piece.
        1.. => pte::BLOCK_2M,
        _ if entry & pte::BLOCK_64K != 0 => pte::BLOCK_64K_SIZE,
        _ => limits::PAGE_SIZE,
    };
    let target = if entry & pte::SPARSE != 0 {
        Target::Sparse
    } else {
        // An entry of a block points to its own page of the block; one of level 1 to its start.
        let unit = if level == 1 { size } else { limits::PAGE_SIZE };
        let place = address & (size - 1) & !(unit - 1);
        let base = entry & pte::ADDRESS;
        if base & (size - 1) != place {
            return Err(Reason::BadEntry);
        }
        let base = base - place;
        match entry & (pte::SYSTEM | pte::SCRATCHPAD) {
            pte::SYSTEM => Target::System(base),
            pte::SCRATCHPAD => Target::Scratchpad(base),
            _ => Target::Vram(base),
        }
    };
    Ok(Page {
        start: address & !(size - 1),
        size,
        target,
        writable: entry & pte::WRITABLE != 0,
        table: if table & pte::SYSTEM != 0 {
            Path::System
        } else {
            Path::Vram
        },
    })
}
