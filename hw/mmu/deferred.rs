// SPDX-License-Identifier: GPL-2.0

//! Mappings to make or remove later, where memory cannot be allocated.

use core::{
    iter,
    ops::Range, //
};

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::{
    backing::Backing,
    hw_mmu::Mmu,
    space::Space,
    tables::Tables, //
};

/// Mappings to remove before their backing is reused.
///
/// Until then the same addresses may be mapped to other backings: only mappings that still are as
/// they were pushed are removed.
pub(crate) struct DeferredUnmaps {
    mmu: Arc<Mmu>,
    list: KVVec<Unmap>,
}

struct Unmap {
    space: Arc<Space>,
    va: Range<u64>,
    backing: Backing,
}

impl DeferredUnmaps {
    pub(in crate::hw) fn new(mmu: &Arc<Mmu>) -> Self {
        Self {
            mmu: mmu.clone(),
            list: KVVec::new(),
        }
    }

    /// Reserves room for `more` mappings.
    pub(crate) fn reserve(&mut self, more: usize) -> Result {
        Ok(self.list.reserve(more, GFP_KERNEL)?)
    }

    /// Pushes the mapping of `va` in a space to `backing` and the addresses that follow it.
    ///
    /// [`ENOSPC`] if there is no room for it; see [`Self::reserve`].
    pub(crate) fn push(&mut self, space: &Arc<Space>, va: Range<u64>, backing: Backing) -> Result {
        self.list
            .push_within_capacity(Unmap {
                space: space.clone(),
                va,
                backing,
            })
            .map_err(|_| ENOSPC)
    }

    /// Returns whether there is nothing to unmap.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Removes all mappings. When this returns, no access is under way that uses one. Does not
    /// allocate.
    pub(crate) fn run(&mut self) {
        let mut last = None;
        for unmaps in self.list.chunk_by(|a, b| Arc::ptr_eq(&a.space, &b.space)) {
            let mut changed: Option<Range<u64>> = None;
            for Unmap { space, va, backing } in unmaps {
                if space.unmap_backing(va, *backing) {
                    let all = changed.get_or_insert_with(|| va.clone());
                    *all = all.start.min(va.start)..all.end.max(va.end);
                }
            }
            // One invalidation, even of a larger range, is cheaper than many.
            if let (Some(va), [first, ..]) = (changed, unmaps) {
                last = first.space.invalidate(va).or(last);
            }
        }
        if let Some(last) = last {
            self.mmu.wait(last);
        }
        self.list.clear();
    }
}

/// Mappings to make in a space, in ranges that stay inserted until then.
pub(crate) struct DeferredMaps {
    space: Arc<Space>,
    list: KVVec<Map>,
    tables: Tables,
}

struct Map {
    va: Range<u64>,
    backing: Backing,
    writable: bool,
    /// Set by then if the content of the backing is lost.
    lost: Arc<AtomicFlag>,
}

impl DeferredMaps {
    /// Makes an empty list.
    pub(crate) fn new(space: &Arc<Space>) -> Result<Self> {
        Ok(Self {
            space: space.clone(),
            list: KVVec::new(),
            tables: space.tables()?,
        })
    }

    /// Pushes a mapping of `va`, where nothing is mapped, to `backing` and the addresses that follow
    /// it. It is not made if `lost` is set by then.
    pub(crate) fn push(
        &mut self,
        va: Range<u64>,
        backing: Backing,
        writable: bool,
        lost: &Arc<AtomicFlag>,
    ) -> Result {
        let map = Map {
            va,
            backing,
            writable,
            lost: lost.clone(),
        };
        Ok(self.list.push(map, GFP_KERNEL)?)
    }

    /// Allocates the tables that the mappings take, once all are pushed.
    pub(crate) fn allocate(&mut self) -> Result {
        let segments = self.list.iter().map(|map| (map.va.clone(), map.backing));
        self.tables.add_for_segments(segments)
    }

    /// Makes all mappings. Does not allocate.
    pub(crate) fn run(&mut self) -> Result {
        for map in self.list.iter().filter(|map| !map.lost.load(Relaxed)) {
            let segment = iter::once((map.va.clone(), map.backing));
            self.space
                .map(&map.va, segment, map.writable, &mut self.tables)?;
        }
        Ok(())
    }
}
