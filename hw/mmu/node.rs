// SPDX-License-Identifier: GPL-2.0

//! Nodes of page tables, and pools of unused ones.

use core::{
    iter,
    ops::{
        AddAssign,
        Range, //
    }, //
};

use kernel::{
    dma::Coherent,
    io::{
        io_read,
        io_write, //
    },
    prelude::*,
    sync::barrier::{
        dma_mb,
        Write, //
    }, //
};

use crate::{
    hw::abi::{
        limits::PAGE_SIZE,
        pte::*, //
    },
    rust::devres::BoundDevice, //
};

/// The bits of an entry that select its aperture.
const APERTURE: u64 = SYSTEM | SCRATCHPAD;

const BLOCK_ENTRIES: usize = (BLOCK_64K_SIZE / PAGE_SIZE) as usize;

/// Returns the first bit of an address that is part of the index in a table of `level`.
const fn shift(level: u32) -> u32 {
    PAGE_SIZE.trailing_zeros() + ENTRIES.trailing_zeros() * level
}

/// Splits `range` by the entries of tables of `level`. Iterates over the index of each entry in its
/// table and the part of the range that it maps.
pub(super) fn parts(level: u32, range: &Range<u64>) -> impl Iterator<Item = (usize, Range<u64>)> {
    cut(range, 1 << shift(level)).map(move |part| {
        let index = (part.start >> shift(level)) as usize % ENTRIES;
        (index, part)
    })
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

/// A table.
///
/// A child is linked if its entry is valid and no leaf. One that is not has no defined content.
pub(super) struct Node {
    entries: Coherent<[u64; ENTRIES]>,
    /// The tables of the level below, linked or not. Empty at level 0.
    pub(super) children: KVec<Option<KBox<Node>>>,
    /// Level 0: the sum of its pages' users. Above: number of children.
    pub(super) users: u64,
    next: Option<KBox<Node>>,
}

impl Node {
    /// Allocates an empty table.
    pub(super) fn new(bound: &BoundDevice, level: u32) -> Result<Self> {
        let mut children = KVec::new();
        if level > 0 {
            children.reserve(ENTRIES, GFP_KERNEL)?;
            for _ in 0..ENTRIES {
                children.push(None, GFP_KERNEL)?;
            }
        }
        Ok(Self {
            entries: bound.alloc_coherent()?,
            children,
            users: 0,
            next: None,
        })
    }

    /// Returns the entry that refers to this table.
    pub(super) fn link(&self) -> u64 {
        self.entries.dma_address() & ADDRESS | SYSTEM | VALID
    }

    /// Reads the entry at `index`.
    fn get(&self, index: usize) -> u64 {
        u64::from_le(io_read!(self.entries, [panic: index % ENTRIES]))
    }

    /// Writes the entry at `index`.
    pub(super) fn set(&self, index: usize, entry: u64) {
        io_write!(self.entries, [panic: index % ENTRIES], entry.to_le());
    }

    /// Links the child at `index`. Its entries are visible to the device before that.
    pub(super) fn link_child(&self, index: usize) {
        if let Some(Some(child)) = self.children.get(index) {
            dma_mb(Write);
            self.set(index, child.link());
        }
    }

    /// Returns the child at `index`, a table of level 0, linked.
    pub(super) fn open(&mut self, index: usize) -> Option<&mut Node> {
        let entry = self.get(index);
        if entry & VALID == 0 || entry & LEAF != 0 {
            let child = self.children.get(index)?.as_ref()?;
            child.split(entry);
            self.link_child(index);
        }
        self.children.get_mut(index)?.as_deref_mut()
    }

    /// As [`Self::open`], but [`None`] if nothing is mapped.
    pub(super) fn open_valid(&mut self, index: usize) -> Option<&mut Node> {
        if self.get(index) & VALID == 0 {
            return None;
        }
        self.open(index)
    }

    /// Maps the pages of this table as `entry`, of level 1, does.
    fn split(&self, entry: u64) {
        for index in 0..ENTRIES {
            let page = if entry & VALID == 0 {
                0
            } else {
                (entry & !LEAF | BLOCK_64K) + index as u64 * PAGE_SIZE
            };
            self.set(index, page);
        }
    }

    /// Maps the pages of `range`, all of this table, of level 0, to `address` and the addresses
    /// that follow it.
    pub(super) fn map_pages(&self, range: &Range<u64>, address: u64, bits: u64) {
        for part in cut(range, BLOCK_64K_SIZE) {
            let address = address + (part.start - range.start);
            let whole = part.end - part.start == BLOCK_64K_SIZE;
            let hint = if whole && address % BLOCK_64K_SIZE == 0 {
                BLOCK_64K
            } else {
                self.break_block(part.start);
                0
            };
            for (index, page) in parts(0, &part) {
                let address = address + (page.start - part.start);
                self.set(index, address | bits | hint);
            }
        }
    }

    /// Unmaps the pages of `range`, all of this table, of level 0.
    pub(super) fn unmap_pages(&self, range: &Range<u64>) {
        for part in cut(range, BLOCK_64K_SIZE) {
            if part.end - part.start != BLOCK_64K_SIZE {
                self.break_block(part.start);
            }
            for (index, _) in parts(0, &part) {
                self.set(index, 0);
            }
        }
    }

    /// Returns whether the entry at `index`, of level 1, maps a block.
    pub(super) fn is_block(&self, index: usize) -> bool {
        self.get(index) & (VALID | LEAF) == VALID | LEAF
    }

    /// Returns whether the entry at `index`, of level 1, links the child.
    pub(super) fn is_linked(&self, index: usize) -> bool {
        self.get(index) & (VALID | LEAF) == VALID
    }

    /// Returns whether the entry at `index`, a leaf, maps to `target`: address and aperture.
    pub(super) fn maps(&self, index: usize, target: u64) -> bool {
        let entry = self.get(index);
        entry & VALID != 0 && entry & (ADDRESS | APERTURE) == target
    }

    /// Unmaps those pages of `range`, all of this table, of level 0, that are mapped to `target`
    /// and the addresses that follow it. Returns whether there were any.
    pub(super) fn unmap_pages_backing(&self, range: &Range<u64>, target: u64) -> bool {
        let mut changed = false;
        for part in cut(range, BLOCK_64K_SIZE) {
            let target = target + (part.start - range.start);
            let matches =
                |index, page: Range<u64>| self.maps(index, target + (page.start - part.start));
            let count = parts(0, &part)
                .filter(|(index, page)| matches(*index, page.clone()))
                .count();
            if count == 0 {
                continue;
            }
            if count != BLOCK_ENTRIES {
                self.break_block(part.start);
            }
            for (index, page) in parts(0, &part) {
                if matches(index, page) {
                    self.set(index, 0);
                }
            }
            changed = true;
        }
        changed
    }

    /// Turns the 64 KiB block around `address`, if it is one, into separate pages.
    ///
    /// None of its pages may change while the hint is set in any of them: a translation that the
    /// TLB caches then would be for all of them.
    fn break_block(&self, address: u64) {
        let first = (address >> shift(0)) as usize % ENTRIES / BLOCK_ENTRIES * BLOCK_ENTRIES;
        for index in first..first + BLOCK_ENTRIES {
            let entry = self.get(index);
            if entry & BLOCK_64K != 0 {
                self.set(index, entry & !BLOCK_64K);
            }
        }
        dma_mb(Write);
    }
}

/// A list of tables that are in no tree. Adding one does not allocate.
pub(super) struct Chain {
    first: Option<KBox<Node>>,
    len: u64,
}

impl Chain {
    pub(super) const fn new() -> Self {
        Self {
            first: None,
            len: 0,
        }
    }

    pub(super) fn push(&mut self, mut node: KBox<Node>) {
        node.next = self.first.take();
        self.first = Some(node);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<KBox<Node>> {
        let mut node = self.first.take()?;
        self.first = node.next.take();
        self.len -= 1;
        Some(node)
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // One by one: dropping the first would recurse as deep as the list is long.
        while self.pop().is_some() {}
    }
}

/// Numbers of tables of level 0 and of the levels above.
#[derive(Clone, Copy, Default)]
pub(super) struct Count {
    pub(super) leaves: u64,
    pub(super) inner: u64,
}

impl Count {
    /// Counts all tables of the levels `bottom..=top` for `range`.
    pub(super) fn all(top: u32, bottom: u32, range: &Range<u64>) -> Self {
        let mut count = Self::default();
        for level in bottom..=top {
            let bits = shift(level + 1);
            let tables = ((range.end - 1) >> bits) - (range.start >> bits) + 1;
            if level == 0 {
                count.leaves += tables;
            } else {
                count.inner += tables;
            }
        }
        count
    }

    pub(super) fn is_zero(self) -> bool {
        self.leaves == 0 && self.inner == 0
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.leaves += other.leaves;
        self.inner += other.inner;
    }
}

/// Tables to put into a tree, allocated before its lock is taken: reclaim may take that lock.
pub(super) struct Pool {
    leaves: Chain,
    inner: Chain,
}

impl Pool {
    pub(super) const fn new() -> Self {
        Self {
            leaves: Chain::new(),
            inner: Chain::new(),
        }
    }

    /// Allocates until the pool has at least `count`.
    pub(super) fn fill(&mut self, bound: &BoundDevice, count: Count) -> Result {
        while self.leaves.len < count.leaves {
            self.leaves
                .push(KBox::new(Node::new(bound, 0)?, GFP_KERNEL)?);
        }
        while self.inner.len < count.inner {
            self.inner
                .push(KBox::new(Node::new(bound, 1)?, GFP_KERNEL)?);
        }
        Ok(())
    }

    pub(super) fn has(&self, count: Count) -> bool {
        self.leaves.len >= count.leaves && self.inner.len >= count.inner
    }

    pub(super) fn take(&mut self, level: u32) -> Option<KBox<Node>> {
        if level == 0 {
            self.leaves.pop()
        } else {
            self.inner.pop()
        }
    }
}
