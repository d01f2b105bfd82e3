// SPDX-License-Identifier: GPL-2.0

//! Tables that are in no tree.

use core::{
    iter,
    ops::{
        AddAssign,
        Range,
        SubAssign, //
    }, //
};

use kernel::prelude::*;

use super::{
    entries::{
        Entries,
        TableAllocator, //
    },
    node::{
        shift,
        span,
        Node, //
    }, //
};
use crate::hw::abi::pte::LEVELS;

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

    /// Moves all tables of `other` here.
    pub(super) fn append(&mut self, other: &mut Self) {
        while let Some(node) = other.pop() {
            self.push(node);
        }
    }

    /// Returns the number of tables, without those below them.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// See [`Node::relocate`].
    fn relocate(&mut self, offset: u64, entries: &mut Entries) -> bool {
        let mut next = self.first.as_deref_mut();
        while let Some(node) = next {
            if node.relocate_self(offset, entries) {
                return true;
            }
            next = node.next.as_deref_mut();
        }
        false
    }

    fn iter(&self) -> impl Iterator<Item = &Node> {
        iter::successors(self.first.as_deref(), |node| node.next.as_deref())
    }

    pub(super) fn pop(&mut self) -> Option<KBox<Node>> {
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
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Count {
    pub(super) leaves: u64,
    pub(super) inner: u64,
}

impl Count {
    pub(super) const NONE: Self = Self {
        leaves: 0,
        inner: 0,
    };

    /// Returns the count of a single table.
    pub(super) fn of(node: &Node) -> Self {
        Self::one(u32::from(!node.is_of_level_0()))
    }

    /// Counts one table of `level`.
    fn one(level: u32) -> Self {
        let mut count = Self::NONE;
        count.add(level, 1);
        count
    }

    /// Counts all tables of the levels `bottom..=top` for `range`.
    pub(super) fn all(top: u32, bottom: u32, range: &Range<u64>) -> Self {
        let mut count = Self::NONE;
        for level in bottom..=top {
            let bits = shift(level + 1);
            count.add(level, ((range.end - 1) >> bits) - (range.start >> bits) + 1);
        }
        count
    }

    /// Counts the most tables that it takes for no entry to be partly in `range`.
    pub(super) fn edges(range: &Range<u64>) -> Self {
        let mut count = Self::NONE;
        for level in 0..LEVELS - 1 {
            let bits = shift(level + 1);
            let is_inside = |edge| edge % span(level + 1) != 0;
            let is_shared = is_inside(range.start)
                && is_inside(range.end)
                && range.start >> bits == range.end >> bits;

            for edge in [range.start, range.end] {
                count.add(level, u64::from(is_inside(edge)));
            }
            // One table has both.
            if is_shared {
                count -= Self::one(level);
            }
        }
        count
    }

    /// Adds `tables` of a level.
    pub(super) fn add(&mut self, level: u32, tables: u64) {
        if level == 0 {
            self.leaves += tables;
        } else {
            self.inner += tables;
        }
    }

    /// Returns the number of all tables.
    pub(super) fn total(self) -> u64 {
        self.leaves + self.inner
    }

    /// Returns whether there are at least as many of both kinds as in `other`.
    pub(super) fn covers(self, other: Self) -> bool {
        self.leaves >= other.leaves && self.inner >= other.inner
    }

    /// Returns the tables that there are beyond those in `other`.
    pub(super) fn beyond(self, other: Self) -> Self {
        Self {
            leaves: self.leaves.saturating_sub(other.leaves),
            inner: self.inner.saturating_sub(other.inner),
        }
    }

    /// Returns the smaller number of each kind.
    pub(super) fn min(self, other: Self) -> Self {
        Self {
            leaves: self.leaves.min(other.leaves),
            inner: self.inner.min(other.inner),
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.leaves += other.leaves;
        self.inner += other.inner;
    }
}

impl SubAssign for Count {
    fn sub_assign(&mut self, other: Self) {
        self.leaves -= other.leaves;
        self.inner -= other.inner;
    }
}

/// Tables to put into a tree, allocated before its lock is taken: reclaim may take that lock.
///
/// Those above level 0 are empty.
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
    pub(super) fn fill(&mut self, allocator: &TableAllocator, count: Count) -> Result {
        while self.leaves.len < count.leaves {
            self.leaves.push(Node::new(allocator, 0)?);
        }
        while self.inner.len < count.inner {
            self.inner.push(Node::new(allocator, 1)?);
        }
        Ok(())
    }

    /// Returns the number of tables.
    pub(super) fn count(&self) -> Count {
        Count {
            leaves: self.leaves.len,
            inner: self.inner.len,
        }
    }

    /// Adds a table that was removed from a tree, with none below it.
    pub(super) fn push(&mut self, node: KBox<Node>) {
        if node.is_of_level_0() {
            self.leaves.push(node);
        } else {
            self.inner.push(node);
        }
    }

    fn take(&mut self, level: u32) -> Option<KBox<Node>> {
        if level == 0 {
            self.leaves.pop()
        } else {
            self.inner.pop()
        }
    }

    /// Lets all tables be taken.
    pub(super) fn all(&mut self) -> Allowance<'_> {
        let left = self.count();
        self.some(left)
    }

    /// Lets tables be taken up to a number that there is.
    pub(super) fn some(&mut self, left: Count) -> Allowance<'_> {
        Allowance { pool: self, left }
    }

    /// Moves tables to `garbage`, so many of each kind or all.
    pub(super) fn drain(&mut self, count: Count, garbage: &mut Chain) {
        for (chain, len) in [
            (&mut self.leaves, count.leaves),
            (&mut self.inner, count.inner),
        ] {
            for _ in 0..len {
                match chain.pop() {
                    Some(node) => garbage.push(node),
                    None => break,
                }
            }
        }
    }

    /// Writes the tables anew, in VRAM that may have lost its content.
    pub(super) fn restore(&self) {
        self.leaves.iter().for_each(Node::restore);
        self.inner.iter().for_each(Node::restore);
    }

    /// See [`Node::relocate`].
    pub(super) fn relocate(&mut self, offset: u64, entries: &mut Entries) -> bool {
        self.leaves.relocate(offset, entries) || self.inner.relocate(offset, entries)
    }

    /// Moves all tables of `other` here.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.leaves.append(&mut other.leaves);
        self.inner.append(&mut other.inner);
    }
}

/// Tables of a pool that may be taken.
pub(super) struct Allowance<'a> {
    pool: &'a mut Pool,
    left: Count,
}

impl Allowance<'_> {
    /// Returns the number of tables that are left.
    pub(super) fn left(&self) -> Count {
        self.left
    }

    pub(super) fn take(&mut self, level: u32) -> Option<KBox<Node>> {
        let one = Count::one(level);
        if !self.left.covers(one) {
            return None;
        }
        let node = self.pool.take(level)?;
        self.left -= one;
        Some(node)
    }
}
