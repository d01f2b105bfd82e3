// SPDX-License-Identifier: GPL-2.0

//! One table of page-table entries, and spare ones.

use core::{
    iter,
    ops::{
        AddAssign,
        Range, //
    }, //
};

use kernel::{
    device::{
        Bound,
        Device, //
    },
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

/// What the address of an entry is an address of.
const APERTURE: u64 = SYSTEM | SCRATCHPAD;

const BLOCK_ENTRIES: usize = (BLOCK_64K_SIZE / PAGE_SIZE) as usize;

/// Bit number of an address where the index in a table of `level` starts.
const fn shift(level: u32) -> u32 {
    PAGE_SIZE.trailing_zeros() + ENTRIES.trailing_zeros() * level
}

/// Cuts `range` at the boundaries of what entries of a table of `level` map, and says which entry
/// of its table each part belongs to.
pub(super) fn parts(level: u32, range: &Range<u64>) -> impl Iterator<Item = (usize, Range<u64>)> {
    cut(range, 1 << shift(level)).map(move |part| {
        let index = (part.start >> shift(level)) as usize % ENTRIES;
        (index, part)
    })
}

/// Cuts `range` at multiples of `unit`.
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
/// What an entry that is not valid, or a leaf, hides is undefined: a child that is not linked has
/// no defined content.
pub(super) struct Node {
    entries: Coherent<[u64; ENTRIES]>,
    /// The tables below, linked or not. None at level 0.
    pub(super) children: KVec<Option<KBox<Node>>>,
    /// Level 0: pages that somebody wants to be able to map. Above: children.
    pub(super) users: u64,
    next: Option<KBox<Node>>,
}

impl Node {
    /// Makes an empty table.
    pub(super) fn new(dev: &Device<Bound>, level: u32) -> Result<Self> {
        let mut children = KVec::new();
        if level > 0 {
            children.reserve(ENTRIES, GFP_KERNEL)?;
            for _ in 0..ENTRIES {
                children.push(None, GFP_KERNEL)?;
            }
        }
        Ok(Self {
            entries: Coherent::zeroed(dev, GFP_KERNEL)?,
            children,
            users: 0,
            next: None,
        })
    }

    /// The entry that refers to this table.
    pub(super) fn link(&self) -> u64 {
        self.entries.dma_address() & ADDRESS | SYSTEM | VALID
    }

    /// The entry at `index`.
    fn get(&self, index: usize) -> u64 {
        u64::from_le(io_read!(self.entries, [panic: index % ENTRIES]))
    }

    /// Sets the entry at `index`.
    pub(super) fn set(&self, index: usize, entry: u64) {
        io_write!(self.entries, [panic: index % ENTRIES], entry.to_le());
    }

    /// Links the child at `index`; what was written to it so far is visible first.
    pub(super) fn link_child(&self, index: usize) {
        if let Some(Some(child)) = self.children.get(index) {
            dma_mb(Write);
            self.set(index, child.link());
        }
    }

    /// The child at `index`, a table of level 0, linked and with defined content.
    pub(super) fn open(&mut self, index: usize) -> Option<&mut Node> {
        let entry = self.get(index);
        if entry & VALID == 0 || entry & LEAF != 0 {
            let child = self.children.get(index)?.as_ref()?;
            child.split(entry);
            self.link_child(index);
        }
        self.children.get_mut(index)?.as_deref_mut()
    }

    /// As [`Self::open`], but none if there is nothing mapped.
    pub(super) fn open_valid(&mut self, index: usize) -> Option<&mut Node> {
        if self.get(index) & VALID == 0 {
            return None;
        }
        self.open(index)
    }

    /// Makes this table map what `entry`, of level 1, does.
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

    /// Maps the pages of `range`, all of this table, of level 0, to `address` and what follows.
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

    /// Whether the entry at `index`, of level 1, maps a block.
    pub(super) fn is_block(&self, index: usize) -> bool {
        self.get(index) & (VALID | LEAF) == VALID | LEAF
    }

    /// Whether the entry at `index`, of level 1, refers to the child.
    pub(super) fn is_linked(&self, index: usize) -> bool {
        self.get(index) & (VALID | LEAF) == VALID
    }

    /// Whether the entry at `index`, a leaf, maps to `target`, an address with its aperture.
    pub(super) fn maps(&self, index: usize, target: u64) -> bool {
        let entry = self.get(index);
        entry & VALID != 0 && entry & (ADDRESS | APERTURE) == target
    }

    /// Unmaps those pages of `range`, all of this table, of level 0, that are mapped to `target`
    /// and what follows. Returns whether there were any.
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

    /// Turns the block around `address`, if it is one, into separate pages.
    ///
    /// Its pages must not change while any of them still says that they are one: a translation
    /// that the device made then would be for all of them.
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

/// Tables in no tree. Adding one allocates nothing.
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
        // One after the other: dropping the first would recurse as deep as the chain is long.
        while self.pop().is_some() {}
    }
}

/// Numbers of tables, of level 0 and above.
#[derive(Clone, Copy, Default)]
pub(super) struct Count {
    pub(super) leaves: u64,
    pub(super) inner: u64,
}

impl Count {
    /// All tables of the levels `bottom..=top` for `range`.
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

/// Tables to put into a tree: allocated before its lock is taken, so that freeing memory may take
/// that lock.
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

    /// Allocates until there are at least `count`.
    pub(super) fn fill(&mut self, bound: &BoundDevice, count: Count) -> Result {
        bound.with(|dev| {
            while self.leaves.len < count.leaves {
                self.leaves.push(KBox::new(Node::new(dev, 0)?, GFP_KERNEL)?);
            }
            while self.inner.len < count.inner {
                self.inner.push(KBox::new(Node::new(dev, 1)?, GFP_KERNEL)?);
            }
            Ok(())
        })
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
