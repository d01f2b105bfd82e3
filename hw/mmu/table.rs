// SPDX-License-Identifier: GPL-2.0

//! The page tables of an address space.

use core::ops::Range;

use kernel::prelude::*;

use super::{
    backing::Backing,
    entries::{
        Entries,
        TableAllocator, //
    },
    node::{
        index,
        parts,
        span,
        Node,
        Slot, //
    },
    pool::{
        Allowance,
        Chain,
        Count,
        Pool, //
    },
    segments::{
        fits_block,
        Segments, //
    }, //
};
use crate::hw::abi::{
    limits::PAGE_SIZE,
    pte::*, //
};

const TOP: u32 = LEVELS - 1;

/// A tree of page tables.
///
/// Nothing here allocates: tables come from a pool. Tables that are not used any more go to a
/// [`Chain`], to be freed when the TLB is invalidated; nothing here does that.
///
/// - Ranges are inserted before something is mapped there. This makes all tables above level 0 and
///   counts the range as a user of them. They go when the last user is removed. An entry of level 1
///   counts the pages below it.
/// - Tables of level 0 are made where pages are mapped that one entry of level 1 cannot map.
/// - A null range is inserted as one: an entry of any level that is all in the range takes no table
///   below it. When something else is inserted there, the entry is expanded to a table.
/// - [`Self::cut`] does the same with entries that are partly in a range, before that part is
///   unmapped or removed.
pub(super) struct PageTable {
    root: KBox<Node>,
    tables: u64,
}

impl PageTable {
    /// Allocates an empty tree.
    pub(super) fn new(allocator: &TableAllocator) -> Result<Self> {
        Ok(Self {
            root: Node::new_root(allocator)?,
            tables: 1,
        })
    }

    /// Returns the table of the highest level, with all others.
    pub(super) fn into_root(self) -> KBox<Node> {
        self.root
    }

    /// Returns the entry for the root register.
    pub(super) fn root(&self) -> u64 {
        self.root.link()
    }

    /// Writes all tables anew, in VRAM that may have lost its content.
    pub(super) fn restore(&self) {
        self.root.restore();
    }

    /// See [`Node::relocate`].
    pub(super) fn relocate(&mut self, offset: u64, entries: &mut Entries) -> bool {
        self.root.relocate(offset, entries)
    }

    /// Returns the number of tables.
    pub(super) fn tables(&self) -> u64 {
        self.tables
    }

    /// Counts the tables that inserting a range takes at most.
    ///
    /// Above level 0, what cutting takes is a part of what inserting does.
    pub(super) fn most_inserted(range: &Range<u64>) -> Count {
        let mut count = Count::all(TOP - 1, 1, range);
        count.leaves = Count::edges(range).leaves;
        count
    }

    /// Counts the tables that inserting a null range takes at most, or cutting one out.
    pub(super) fn most_cut(range: &Range<u64>) -> Count {
        Count::edges(range)
    }

    /// Inserts a range. If the pool has less than [`Self::most_inserted`], nothing is changed, and
    /// that is returned.
    pub(super) fn insert(
        &mut self,
        range: &Range<u64>,
        pool: &mut Allowance<'_>,
    ) -> Result<(), Count> {
        self.with_pool(Self::most_inserted(range), pool, |root, pool| {
            root.cut(range, pool);
            root.insert(TOP, range, pool);
        })
    }

    /// Inserts a null range, as [`Self::insert`] does, with [`Self::most_cut`].
    pub(super) fn insert_null(
        &mut self,
        range: &Range<u64>,
        pool: &mut Allowance<'_>,
    ) -> Result<(), Count> {
        self.with_pool(Self::most_cut(range), pool, |root, pool| {
            root.cut(range, pool);
            root.insert_null(TOP, range, pool);
        })
    }

    /// Sees that no entry is partly in a range, as [`Self::insert`] does, with [`Self::most_cut`].
    pub(super) fn cut(
        &mut self,
        range: &Range<u64>,
        pool: &mut Allowance<'_>,
    ) -> Result<(), Count> {
        self.with_pool(Self::most_cut(range), pool, |root, pool| {
            root.cut(range, pool);
        })
    }

    /// Makes the tables of level 0 that map any page of `range`, which is inserted. If there are too
    /// few tables in the pool, nothing is changed, and the missing ones are returned.
    pub(super) fn insert_pages(
        &mut self,
        range: &Range<u64>,
        pool: &mut Allowance<'_>,
    ) -> Result<(), Count> {
        let missing = self.root.missing_pages(TOP, range);
        self.with_pool(missing, pool, |root, pool| {
            root.insert_pages(TOP, range, pool);
        })
    }

    /// Removes a user of a range, which was inserted and is not partly in any entry.
    pub(super) fn remove(&mut self, range: &Range<u64>, garbage: &mut Chain) {
        let before = garbage.len();
        self.root.remove(TOP, range, garbage);
        self.tables -= garbage.len() - before;
    }

    /// Maps `range`, which is inserted, to the memory of `segments`. If a page has replaced a table
    /// then the range has to be invalidated before it is used, and `garbage` is not empty.
    ///
    /// [`EINVAL`] if there is no valid segment or table for some of it, [`ENOMEM`] if the pool has
    /// too few tables. Some of it may be mapped then.
    pub(super) fn map(
        &mut self,
        range: &Range<u64>,
        segments: impl Iterator<Item = (Range<u64>, Backing)>,
        writable: bool,
        pool: &mut Allowance<'_>,
        garbage: &mut Chain,
    ) -> Result {
        let access = if writable { WRITABLE } else { 0 };
        let before = (pool.left(), garbage.len());
        let done = self.root.map(
            TOP,
            range,
            VALID | access,
            &mut Segments::new(segments),
            pool,
            garbage,
        );
        self.tables += before.0.beyond(pool.left()).total();
        self.tables -= garbage.len() - before.1;
        done
    }

    /// Maps a null range, which was inserted as one: reads give zeros, writes are dropped. Otherwise
    /// as [`Self::map`].
    pub(super) fn map_null(
        &mut self,
        range: &Range<u64>,
        writable: bool,
        garbage: &mut Chain,
    ) -> Result {
        let access = if writable { WRITABLE } else { 0 };
        let before = garbage.len();
        let done = self
            .root
            .map_null(TOP, range, VALID | SPARSE | access, garbage);
        self.tables -= garbage.len() - before;
        done
    }

    /// Unmaps `range`, which is not partly in any entry.
    pub(super) fn unmap(&mut self, range: &Range<u64>) {
        self.root.unmap(TOP, range);
    }

    /// Calls `f` if the pool has the tables that are missing.
    fn with_pool(
        &mut self,
        missing: Count,
        pool: &mut Allowance<'_>,
        f: impl FnOnce(&mut Node, &mut Allowance<'_>),
    ) -> Result<(), Count> {
        let before = pool.left();
        if !before.covers(missing) {
            return Err(missing);
        }
        f(&mut self.root, pool);
        self.tables += before.beyond(pool.left()).total();
        Ok(())
    }
}

#[cfg(CONFIG_DRM_RUST_GPU_TTM_KUNIT_TEST)]
impl PageTable {
    /// Returns the entry of the highest level for `va`.
    pub(super) fn top_entry(&self, va: u64) -> u64 {
        self.root.get(index(TOP, va))
    }

    /// Returns the level and the entry of the leaf that maps `va`, as the device finds it.
    pub(super) fn leaf(&mut self, va: u64) -> Option<(u32, u64)> {
        let mut node = &mut *self.root;
        for level in (0..LEVELS).rev() {
            let entry = node.get(index(level, va));
            if entry & VALID == 0 {
                return None;
            }
            if level == 0 || entry & LEAF != 0 {
                return Some((level, entry));
            }
            node = node.child(index(level, va))?;
        }
        None
    }
}

/// Returns the pages of `range`, which is in one entry.
fn pages(range: &Range<u64>) -> u32 {
    ((range.end - range.start) / PAGE_SIZE) as u32
}

/// Returns whether `part` is all that an entry of `level` maps.
fn is_whole(level: u32, part: &Range<u64>) -> bool {
    part.end - part.start == span(level)
}

/// The walks. Each is over the part of the tree that `range` touches, with `self` at `level`.
impl Node {
    /// Counts the tables of level 0 that [`Self::insert_pages`] takes.
    fn missing_pages(&self, level: u32, range: &Range<u64>) -> Count {
        let mut count = Count::default();
        for (index, part) in parts(level, range) {
            match self.slot(index).map(|slot| &slot.child) {
                Some(Some(child)) if level > 1 => count += child.missing_pages(level - 1, &part),
                Some(None) if level == 1 => count.add(0, 1),
                _ => {}
            }
        }
        count
    }

    fn cut(&mut self, range: &Range<u64>, pool: &mut Allowance<'_>) {
        self.cut_at(TOP, range.start, pool);
        self.cut_at(TOP, range.end, pool);
    }

    /// Expands entries until none has `at` between its first and its last page.
    fn cut_at(&mut self, level: u32, at: u64, pool: &mut Allowance<'_>) {
        let index = index(level, at);
        if at % span(level) == 0 {
            return;
        }
        let is_used = self.slot(index).is_some_and(Slot::is_used);
        if level == 1 {
            if self.is_leaf(index) {
                self.open(index, pool);
            }
        } else if is_used {
            if let Some(child) = self.make_child(level, index, pool) {
                child.cut_at(level - 1, at, pool);
            }
        }
    }

    /// Returns the child at `index`, a table of level 1 or above, linked. One that is made maps what
    /// the entry does, and has its users.
    fn make_child(
        &mut self,
        level: u32,
        index: usize,
        pool: &mut Allowance<'_>,
    ) -> Option<&mut Node> {
        let entry = self.get(index);
        let slot = self.slot_mut(index)?;
        if slot.child.is_none() {
            let mut child = pool.take(level - 1)?;
            let is_used = slot.users != 0;
            if entry & VALID != 0 {
                child.fill(entry);
            }
            if is_used {
                child.spread_users(slot.users);
                slot.users = 0;
            }
            slot.child = Some(child);
            self.used += usize::from(!is_used);
            self.link_child(index);
        }
        self.child(index)
    }

    /// Returns the child at `index`, a table of level 0, linked. One that is made maps what the
    /// entry does.
    fn open(&mut self, index: usize, pool: &mut Allowance<'_>) -> Option<&mut Node> {
        if !self.is_linked(index) {
            let entry = self.get(index);
            self.get_or_take(index, pool)?.split(entry);
            self.link_child(index);
        }
        self.child(index)
    }

    /// Returns the child at `index`, a table of level 0, which may not be linked.
    fn get_or_take(&mut self, index: usize, pool: &mut Allowance<'_>) -> Option<&mut Node> {
        let slot = self.slot_mut(index)?;
        let is_used = slot.is_used();
        if slot.child.is_none() {
            slot.child = Some(pool.take(0)?);
        }
        self.used += usize::from(!is_used);
        self.child(index)
    }

    fn add_users(&mut self, index: usize, pages: u32) {
        if let Some(slot) = self.slot_mut(index) {
            let is_used = slot.is_used();
            slot.users += pages;
            self.used += usize::from(!is_used);
        }
    }

    fn insert(&mut self, level: u32, range: &Range<u64>, pool: &mut Allowance<'_>) {
        for (index, part) in parts(level, range) {
            if level == 1 {
                self.add_users(index, pages(&part));
            } else if let Some(child) = self.make_child(level, index, pool) {
                child.insert(level - 1, &part, pool);
            }
        }
    }

    fn insert_null(&mut self, level: u32, range: &Range<u64>, pool: &mut Allowance<'_>) {
        for (index, part) in parts(level, range) {
            let whole = is_whole(level, &part);
            let has_child = self.child(index).is_some();
            if level == 1 {
                self.add_users(index, pages(&part));
                if !whole && !has_child {
                    self.open(index, pool);
                }
            } else if whole && !has_child {
                self.add_users(index, pages(&part));
            } else if let Some(child) = self.make_child(level, index, pool) {
                child.insert_null(level - 1, &part, pool);
            }
        }
    }

    fn insert_pages(&mut self, level: u32, range: &Range<u64>, pool: &mut Allowance<'_>) {
        for (index, part) in parts(level, range) {
            if level == 1 {
                self.open(index, pool);
            } else if let Some(child) = self.child(index) {
                child.insert_pages(level - 1, &part, pool);
            }
        }
    }

    fn remove(&mut self, level: u32, range: &Range<u64>, garbage: &mut Chain) {
        for (index, part) in parts(level, range) {
            let Some(slot) = self.slot_mut(index) else {
                return;
            };
            if !slot.is_used() {
                continue;
            }
            let is_done = match &mut slot.child {
                Some(child) if level > 1 => {
                    child.remove(level - 1, &part, garbage);
                    child.used == 0
                }
                _ => {
                    slot.users = slot.users.saturating_sub(pages(&part));
                    slot.users == 0
                }
            };
            if is_done {
                if let Some(child) = slot.child.take() {
                    garbage.push(child);
                }
                self.used -= 1;
                self.set(index, 0);
            }
        }
    }

    fn map<I: Iterator<Item = (Range<u64>, Backing)>>(
        &mut self,
        level: u32,
        range: &Range<u64>,
        bits: u64,
        segments: &mut Segments<I>,
        pool: &mut Allowance<'_>,
        garbage: &mut Chain,
    ) -> Result {
        for (index, part) in parts(level, range) {
            if level > 1 {
                let child = self.child(index).ok_or(EINVAL)?;
                child.map(level - 1, &part, bits, segments, pool, garbage)?;
                continue;
            }
            if self.slot(index).is_none_or(|slot| slot.users == 0) {
                return Err(EINVAL);
            }
            let (end, address, aperture) = segments.at(part.start)?;
            if end >= part.end && fits_block(&part, address) {
                self.replace_child(index, address | aperture | bits | LEAF, garbage);
                continue;
            }
            let child = if is_whole(level, &part) {
                // All of it is written before it is linked.
                self.get_or_take(index, pool)
            } else {
                self.open(index, pool)
            };
            let child = child.ok_or(ENOMEM)?;
            let mut at = part.start;
            while at < part.end {
                let (end, address, aperture) = segments.at(at)?;
                let end = end.min(part.end);
                child.map_pages(&(at..end), address | aperture, bits);
                at = end;
            }
            if !self.is_linked(index) {
                self.link_child(index);
            }
        }
        Ok(())
    }

    /// Sets a leaf of level 1 in place of a child, if there is one.
    fn replace_child(&mut self, index: usize, leaf: u64, garbage: &mut Chain) {
        self.set(index, leaf);
        if let Some(child) = self.slot_mut(index).and_then(|slot| slot.child.take()) {
            garbage.push(child);
        }
    }

    fn map_null(
        &mut self,
        level: u32,
        range: &Range<u64>,
        entry: u64,
        garbage: &mut Chain,
    ) -> Result {
        for (index, part) in parts(level, range) {
            let whole = is_whole(level, &part);
            if level == 1 && whole {
                self.replace_child(index, entry | LEAF, garbage);
            } else if level == 1 {
                // The pool is not needed: the child was made when the range was inserted.
                let child = self.open(index, &mut Pool::new().all()).ok_or(EINVAL)?;
                child.fill_pages(&part, entry);
            } else if let Some(child) = self.child(index) {
                child.map_null(level - 1, &part, entry, garbage)?;
            } else if whole {
                self.set(index, entry | LEAF);
            } else {
                return Err(EINVAL);
            }
        }
        Ok(())
    }

    fn unmap(&mut self, level: u32, range: &Range<u64>) {
        for (index, part) in parts(level, range) {
            let is_open = level == 1 && !is_whole(level, &part) && self.is_linked(index);
            match self.child(index) {
                Some(child) if level > 1 => child.unmap(level - 1, &part),
                Some(child) if is_open => child.unmap_pages(&part),
                // All of a leaf, as it was cut.
                _ => {
                    if self.get(index) != 0 {
                        self.set(index, 0);
                    }
                }
            }
        }
    }
}
