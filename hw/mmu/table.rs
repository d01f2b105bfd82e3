// SPDX-License-Identifier: GPL-2.0

//! The page tables of an address space.

use core::ops::Range;

use kernel::prelude::*;

use super::{
    backing::Backing,
    node::{
        parts,
        Chain,
        Count,
        Node,
        Pool, //
    }, //
};
use crate::{
    hw::abi::{
        limits::{
            PAGE_SIZE,
            VA_BITS, //
        },
        pte::*, //
    },
    rust::devres::BoundDevice, //
};

const TOP: u32 = LEVELS - 1;

/// The lowest level that tables are made for.
#[derive(Clone, Copy)]
pub(super) enum Depth {
    /// To level 0: any page can be mapped and unmapped.
    Pages = 0,
    /// To level 1: only blocks of 2 MiB can.
    Blocks = 1,
}

/// A tree of page tables.
///
/// Nothing but [`Pool::fill`] allocates: ranges are populated before they are mapped. Nothing here
/// invalidates the TLB.
pub(super) struct PageTable {
    root: KBox<Node>,
}

impl PageTable {
    /// Allocates an empty tree.
    pub(super) fn new(bound: &BoundDevice) -> Result<Self> {
        let root = KBox::new(Node::new(bound, TOP)?, GFP_KERNEL)?;
        Ok(Self { root })
    }

    /// Returns the table of the highest level, with all others.
    pub(super) fn into_root(self) -> KBox<Node> {
        self.root
    }

    /// Returns the entry for the address space's root register.
    pub(super) fn root(&self) -> u64 {
        self.root.link()
    }

    /// Makes the tables for `range` of those in `pool`, or returns how many that takes.
    pub(super) fn populate(
        &mut self,
        range: &Range<u64>,
        depth: Depth,
        pool: &mut Pool,
    ) -> Result<(), Count> {
        let missing = self.root.missing(TOP, depth as u32, range);
        if !pool.has(missing) {
            return Err(missing);
        }
        self.root.populate(TOP, depth as u32, range, pool);
        Ok(())
    }

    /// Adds a user to the pages of `range`, which is populated.
    pub(super) fn retain(&mut self, range: &Range<u64>) {
        self.root.retain(TOP, range);
    }

    /// Undoes one [`Self::retain`] of the pages of `range`. Tables without users move to `garbage`,
    /// to be freed when the TLB is invalidated.
    pub(super) fn release(&mut self, range: &Range<u64>, garbage: &mut Chain) {
        self.root.release(TOP, range, garbage);
    }

    /// Maps `range` to `backing` and the addresses that follow it. Returns whether blocks have
    /// replaced tables, which the TLB may have cached: then it has to be invalidated before the
    /// range is used.
    pub(super) fn map(
        &mut self,
        range: &Range<u64>,
        backing: Backing,
        writable: bool,
        depth: Depth,
    ) -> Result<bool> {
        let (address, aperture) = backing.entry();
        let end = address.checked_add(range.end - range.start).ok_or(EINVAL)?;
        if address % PAGE_SIZE != 0
            || end > 1 << VA_BITS
            || !self.root.missing(TOP, depth as u32, range).is_zero()
        {
            return Err(EINVAL);
        }
        let access = if writable { WRITABLE } else { 0 };
        Ok(self
            .root
            .map(TOP, range, address, VALID | aperture | access))
    }

    /// Unmaps the pages of `range` that are mapped to `backing` and the addresses that follow it.
    /// Returns whether there were any.
    pub(super) fn unmap_backing(&mut self, range: &Range<u64>, backing: Backing) -> bool {
        let (address, aperture) = backing.entry();
        self.root.unmap_backing(TOP, range, address | aperture)
    }

    /// Unmaps `range`.
    pub(super) fn unmap(&mut self, range: &Range<u64>) {
        self.root.unmap(TOP, range);
    }
}

/// The walks. Each is over the part of the tree that `range` touches, with `self` at `level`.
impl Node {
    fn missing(&self, level: u32, bottom: u32, range: &Range<u64>) -> Count {
        let mut count = Count::default();
        for (index, part) in parts(level, range) {
            match self.children.get(index) {
                Some(Some(child)) if level - 1 > bottom => {
                    count += child.missing(level - 1, bottom, &part);
                }
                Some(Some(_)) => {}
                _ => count += Count::all(level - 1, bottom, &part),
            }
        }
        count
    }

    fn populate(&mut self, level: u32, bottom: u32, range: &Range<u64>, pool: &mut Pool) {
        for (index, part) in parts(level, range) {
            let Some(child) = self.children.get_mut(index) else {
                return;
            };
            if child.is_none() {
                *child = pool.take(level - 1);
                self.users += 1;
                // One of level 0 stays hidden until a page of it is mapped.
                if level > 1 {
                    self.link_child(index);
                }
            }
            if let Some(Some(child)) = self.children.get_mut(index) {
                if level - 1 > bottom {
                    child.populate(level - 1, bottom, &part, pool);
                }
            }
        }
    }

    fn retain(&mut self, level: u32, range: &Range<u64>) {
        if level == 0 {
            self.users += (range.end - range.start) / PAGE_SIZE;
            return;
        }
        for (index, part) in parts(level, range) {
            if let Some(Some(child)) = self.children.get_mut(index) {
                child.retain(level - 1, &part);
            }
        }
    }

    fn release(&mut self, level: u32, range: &Range<u64>, garbage: &mut Chain) {
        if level == 0 {
            let pages = (range.end - range.start) / PAGE_SIZE;
            self.users = self.users.saturating_sub(pages);
            return;
        }
        for (index, part) in parts(level, range) {
            let Some(slot) = self.children.get_mut(index) else {
                return;
            };
            let Some(child) = slot else {
                continue;
            };
            child.release(level - 1, &part, garbage);
            if child.users == 0 {
                if let Some(child) = slot.take() {
                    self.set(index, 0);
                    self.users -= 1;
                    garbage.push(child);
                }
            }
        }
    }

    fn map(&mut self, level: u32, range: &Range<u64>, address: u64, bits: u64) -> bool {
        let mut hides_tables = false;
        for (index, part) in parts(level, range) {
            let address = address + (part.start - range.start);
            let whole = part.end - part.start == BLOCK_2M && address % BLOCK_2M == 0;
            if level == 1 && whole {
                hides_tables |= self.is_linked(index);
                self.set(index, address | bits | LEAF);
            } else if level == 1 {
                if let Some(child) = self.open(index) {
                    child.map_pages(&part, address, bits);
                }
            } else if let Some(Some(child)) = self.children.get_mut(index) {
                hides_tables |= child.map(level - 1, &part, address, bits);
            }
        }
        hides_tables
    }

    fn unmap(&mut self, level: u32, range: &Range<u64>) {
        for (index, part) in parts(level, range) {
            if level == 1 && part.end - part.start == BLOCK_2M {
                self.set(index, 0);
            } else if level == 1 {
                if let Some(child) = self.open_valid(index) {
                    child.unmap_pages(&part);
                }
            } else if let Some(Some(child)) = self.children.get_mut(index) {
                child.unmap(level - 1, &part);
            }
        }
    }

    /// Unmaps the pages that an entry maps to `target`, an address with its aperture, for the
    /// first of them and so on.
    fn unmap_backing(&mut self, level: u32, range: &Range<u64>, target: u64) -> bool {
        let mut changed = false;
        for (index, part) in parts(level, range) {
            let target = target + (part.start - range.start);
            if level > 1 {
                if let Some(Some(child)) = self.children.get_mut(index) {
                    changed |= child.unmap_backing(level - 1, &part, target);
                }
            } else if self.is_block(index) && part.end - part.start == BLOCK_2M {
                if self.maps(index, target) {
                    self.set(index, 0);
                    changed = true;
                }
            } else if let Some(child) = self.open_valid(index) {
                changed |= child.unmap_pages_backing(&part, target);
            }
        }
        changed
    }
}
