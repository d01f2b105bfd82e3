// SPDX-License-Identifier: GPL-2.0

//! Tables that are in no tree.

use core::ops::{
    AddAssign,
    Range, //
};

use kernel::prelude::*;

use super::node::{
    shift,
    span,
    Node, //
};
use crate::{
    hw::abi::pte::LEVELS,
    rust::devres::BoundDevice, //
};

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
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
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
            count.add(level, ((range.end - 1) >> bits) - (range.start >> bits) + 1);
        }
        count
    }

    /// Counts the most tables that it takes for no entry to be partly in `range`.
    pub(super) fn edges(range: &Range<u64>) -> Self {
        let mut count = Self::default();
        for level in 0..LEVELS - 1 {
            for edge in [range.start, range.end] {
                count.add(level, u64::from(edge % span(level + 1) != 0));
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
            self.leaves.push(Node::new(bound, 0)?);
        }
        while self.inner.len < count.inner {
            self.inner.push(Node::new(bound, 1)?);
        }
        Ok(())
    }

    /// Returns whether there are at least so many.
    pub(super) fn has(&self, count: Count) -> bool {
        self.leaves.len >= count.leaves && self.inner.len >= count.inner
    }

    /// Returns the number of tables.
    pub(super) fn len(&self) -> u64 {
        self.leaves.len + self.inner.len
    }

    pub(super) fn take(&mut self, level: u32) -> Option<KBox<Node>> {
        if level == 0 {
            self.leaves.pop()
        } else {
            self.inner.pop()
        }
    }

    /// Moves all tables of `other` here.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.leaves.append(&mut other.leaves);
        self.inner.append(&mut other.inner);
    }

    /// Moves all tables to `garbage`.
    pub(super) fn empty_into(&mut self, garbage: &mut Chain) {
        garbage.append(&mut self.leaves);
        garbage.append(&mut self.inner);
    }
}
