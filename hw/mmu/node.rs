// SPDX-License-Identifier: GPL-2.0

//! Nodes of page tables.

use core::{
    iter,
    mem,
    ops::Range, //
};

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*,
    sync::barrier::{
        mb,
        Write, //
    }, //
};

use super::entries::{
    Entries,
    TableAllocator, //
};
use crate::hw::abi::{
    limits::PAGE_SIZE,
    pte::*, //
};

const BLOCK_ENTRIES: usize = (BLOCK_64K_SIZE / PAGE_SIZE) as usize;

/// Returns the first bit of an address that is part of the index in a table of `level`.
pub(super) const fn shift(level: u32) -> u32 {
    PAGE_SIZE.trailing_zeros() + ENTRIES.trailing_zeros() * level
}

/// Returns the bytes of addresses that an entry of `level` maps.
pub(super) const fn span(level: u32) -> u64 {
    1 << shift(level)
}

/// Returns the index of an address in a table of `level`.
pub(super) const fn index(level: u32, address: u64) -> usize {
    (address >> shift(level)) as usize % ENTRIES
}

/// Returns the indices of the pages of `range`, all of one table of level 0.
fn indices(range: &Range<u64>) -> Range<usize> {
    let first = index(0, range.start);
    first..first + ((range.end - range.start) / PAGE_SIZE) as usize
}

/// Splits `range` by the entries of tables of `level`. Iterates over the index of each entry in its
/// table and the part of the range that it maps.
pub(super) fn parts(level: u32, range: &Range<u64>) -> impl Iterator<Item = (usize, Range<u64>)> {
    cut(range, span(level)).map(move |part| (index(level, part.start), part))
}

/// Splits `range` at multiples of `unit`.
fn cut(range: &Range<u64>, unit: u64) -> impl Iterator<Item = Range<u64>> {
    let Range { start: mut at, end } = *range;
    iter::from_fn(move || {
        let part = at..(at | (unit - 1)).wrapping_add(1).min(end);
        at = part.end;
        (!part.is_empty()).then_some(part)
    })
}

/// The driver's part of an entry above level 0.
pub(super) struct Slot {
    /// The table of the level below.
    pub(super) child: Option<KBox<Node>>,
    /// The sum of the users of the pages below that are not counted in the child.
    pub(super) users: u32,
}

impl Slot {
    pub(super) fn is_used(&self) -> bool {
        self.users != 0 || self.child.is_some()
    }
}

/// A table.
///
/// A child is linked if its entry is valid and no leaf. Those of level 0 need not be; one that is
/// not has no defined content.
pub(super) struct Node {
    entries: Entries,
    /// One per entry; [`None`] at level 0.
    slots: Option<KBox<[Slot; ENTRIES]>>,
    /// Number of slots in use.
    pub(super) used: usize,
    /// At level 0, the entries that may not be 0.
    written: Range<usize>,
    pub(super) next: Option<KBox<Node>>,
}

impl Node {
    /// Allocates an empty table, which is charged to the caller's memory cgroup.
    pub(super) fn new(allocator: &TableAllocator, level: u32) -> Result<KBox<Self>> {
        Self::with(allocator.alloc()?, level)
    }

    /// Allocates an empty table of the highest level.
    ///
    /// It is in system memory: registers of the device have its address, and it never moves.
    pub(super) fn new_root(allocator: &TableAllocator) -> Result<KBox<Self>> {
        Self::with(allocator.alloc_system()?, LEVELS - 1)
    }

    fn with(entries: Entries, level: u32) -> Result<KBox<Self>> {
        let slots = if level > 0 {
            let slots = pin_init::init_array_from_fn(|_| Slot {
                child: None,
                users: 0,
            });
            Some(KBox::init(slots, GFP_KERNEL_ACCOUNT)?)
        } else {
            None
        };
        let this = Self {
            entries,
            slots,
            used: 0,
            written: 0..0,
            next: None,
        };
        Ok(KBox::new(this, GFP_KERNEL_ACCOUNT)?)
    }

    /// Returns whether this is a table of level 0.
    pub(super) fn is_of_level_0(&self) -> bool {
        self.slots.is_none()
    }

    /// Returns the slot at `index`; [`None`] at level 0.
    pub(super) fn slot(&self, index: usize) -> Option<&Slot> {
        self.slots.as_ref()?.get(index)
    }

    /// Returns the slot at `index`; [`None`] at level 0.
    pub(super) fn slot_mut(&mut self, index: usize) -> Option<&mut Slot> {
        self.slots.as_mut()?.get_mut(index)
    }

    /// Gives each entry of an empty table an equal share of `users`.
    pub(super) fn spread_users(&mut self, users: u32) {
        for slot in self.slots.iter_mut().flat_map(|slots| slots.iter_mut()) {
            slot.users = users / ENTRIES as u32;
        }
        self.used = ENTRIES;
    }

    /// Returns whether no slot is in use. Above level 0, all entries are 0 then.
    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Returns the entry that refers to this table.
    pub(super) fn link(&self) -> u64 {
        self.entries.link()
    }

    /// Returns the child at `index`.
    pub(super) fn child(&mut self, index: usize) -> Option<&mut Node> {
        self.slot_mut(index)?.child.as_deref_mut()
    }

    /// Reads the entry at `index`.
    pub(super) fn get(&self, index: usize) -> u64 {
        self.entries.get(index)
    }

    /// Writes the entry at `index`.
    pub(super) fn set(&mut self, index: usize, entry: u64) {
        self.entries.set(index, entry);
    }

    /// Writes the same entry to all of the table.
    pub(super) fn fill(&mut self, entry: u64) {
        self.entries.write(0..ENTRIES, move |_| entry);
    }

    /// Writes this table and those below it anew, in VRAM that may have lost its content.
    pub(super) fn restore(&self) {
        self.entries.restore();
        for slot in self.slots.iter().flat_map(|slots| slots.iter()) {
            if let Some(child) = &slot.child {
                child.restore();
            }
        }
    }

    /// Moves the table at `offset` in VRAM, of those below this one, to `entries`, and what was there
    /// to these. Returns whether there is one. The TLB has to be invalidated then.
    pub(super) fn relocate(&mut self, offset: u64, entries: &mut Entries) -> bool {
        for index in 0..ENTRIES {
            let is_linked = self.is_linked(index);
            let Some(child) = self.child(index) else {
                continue;
            };
            if child.relocate_self(offset, entries) {
                if is_linked {
                    self.link_child(index);
                }
                return true;
            }
            if child.relocate(offset, entries) {
                return true;
            }
        }
        false
    }

    /// Moves this table as [`Self::relocate`] does, to which nothing links.
    pub(super) fn relocate_self(&mut self, offset: u64, entries: &mut Entries) -> bool {
        if !self.entries.are_at(offset) {
            return false;
        }
        entries.copy_from(&self.entries);
        mem::swap(&mut self.entries, entries);
        true
    }

    /// Links the child at `index`. Its entries are visible to the device before that.
    pub(super) fn link_child(&mut self, index: usize) {
        if let Some(child) = self.child(index) {
            let link = child.link();
            mb(Write);
            self.set(index, link);
        }
    }

    /// Maps the pages of this table, of level 0, as `entry`, of level 1, does.
    pub(super) fn split(&mut self, entry: u64) {
        if entry & VALID == 0 {
            let written = mem::replace(&mut self.written, 0..0);
            self.entries.write(written, |_| 0);
            return;
        }
        self.written = 0..ENTRIES;
        if entry & SPARSE != 0 {
            self.fill(entry & !LEAF);
        } else {
            let first = entry & !LEAF | BLOCK_64K;
            self.entries
                .write(0..ENTRIES, move |index| first + index as u64 * PAGE_SIZE);
        }
    }

    /// Maps the pages of `range`, all of this table, of level 0, to `target`, an address with its
    /// aperture, and the addresses that follow it.
    pub(super) fn map_pages(&mut self, range: &Range<u64>, target: u64, bits: u64) {
        self.note_written(range);
        let (start, end) = (range.start, range.end);
        let blocks = start.next_multiple_of(BLOCK_64K_SIZE)..end / BLOCK_64K_SIZE * BLOCK_64K_SIZE;
        let is_aligned = (target & ADDRESS).wrapping_sub(start) % BLOCK_64K_SIZE == 0;
        let blocks = if is_aligned && !blocks.is_empty() {
            blocks
        } else {
            end..end
        };
        let entry_at = |va: u64| (target + (va - start)) | bits;

        for pages in [start..blocks.start, blocks.end..end] {
            for part in cut(&pages, BLOCK_64K_SIZE) {
                self.break_block(part.start);
            }
            self.set_pages(&pages, entry_at(pages.start));
        }
        self.set_pages(&blocks, entry_at(blocks.start) | BLOCK_64K);
    }

    /// Writes the entries of `range`, of which the first one is `entry`, for pages that follow each
    /// other.
    fn set_pages(&mut self, range: &Range<u64>, entry: u64) {
        let Range { start: first, end } = indices(range);
        if first == end {
            return;
        }
        // It does not overflow, but the compiler would check that for each.
        let zeroth = entry.wrapping_sub(first as u64 * PAGE_SIZE);
        self.entries.write(first..end, move |index| {
            zeroth.wrapping_add((index as u64).wrapping_mul(PAGE_SIZE))
        });
    }

    /// Writes the same entry, no part of a block, for the pages of `range`, all of this table, of
    /// level 0.
    pub(super) fn fill_pages(&mut self, range: &Range<u64>, entry: u64) {
        self.note_written(range);
        for part in cut(range, BLOCK_64K_SIZE) {
            self.break_block(part.start);
        }
        self.entries.write(indices(range), move |_| entry);
    }

    /// Unmaps the pages of `range`, all of this table, of level 0.
    pub(super) fn unmap_pages(&mut self, range: &Range<u64>) {
        for part in cut(range, BLOCK_64K_SIZE) {
            if part.end - part.start != BLOCK_64K_SIZE {
                self.break_block(part.start);
            }
        }
        self.entries.write(indices(range), |_| 0);
    }

    /// Returns whether the entry at `index`, above level 0, is a leaf.
    pub(super) fn is_leaf(&self, index: usize) -> bool {
        self.get(index) & (VALID | LEAF) == VALID | LEAF
    }

    /// Returns whether the entry at `index`, above level 0, links the child.
    pub(super) fn is_linked(&self, index: usize) -> bool {
        self.get(index) & (VALID | LEAF) == VALID
    }

    /// Notes that the entries of `range`, all of this table, of level 0, are written.
    fn note_written(&mut self, range: &Range<u64>) {
        let Range { start: first, end } = indices(range);
        let written = &mut self.written;
        *written = if Range::is_empty(written) {
            first..end
        } else {
            written.start.min(first)..written.end.max(end)
        };
    }

    /// Turns the 64 KiB block around `address`, if it is one, into separate pages.
    ///
    /// None of its pages may change while the hint is set in any of them: a translation that the
    /// TLB caches then would be for all of them.
    fn break_block(&mut self, address: u64) {
        let first = index(0, address) / BLOCK_ENTRIES * BLOCK_ENTRIES;
        // All of them have the hint, or none.
        if self.get(first) & (VALID | BLOCK_64K) != VALID | BLOCK_64K {
            return;
        }
        for index in first..first + BLOCK_ENTRIES {
            self.set(index, self.get(index) & !BLOCK_64K);
        }
        mb(Write);
    }
}
