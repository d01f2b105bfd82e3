// SPDX-License-Identifier: GPL-2.0

//! Mapping and unmapping that is decided on now and done later, where memory cannot be allocated.

use core::ops::Range;

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
    Backing,
    Mmu,
    SpaceId, //
};

/// Mappings to take away when what is behind them is about to be given to others.
///
/// Until then anybody may map other things at the same addresses, or free the address spaces: what
/// is not mapped as it was noted here stays.
pub(crate) struct DeferredUnmaps {
    mmu: Arc<Mmu>,
    list: KVVec<Unmap>,
}

struct Unmap {
    space: SpaceId,
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

    /// Makes sure that `more` can be pushed without an allocation.
    pub(crate) fn reserve(&mut self, more: usize) -> Result {
        Ok(self.list.reserve(more, GFP_KERNEL)?)
    }

    /// Notes that the addresses `va` of a space are mapped to `backing` and what follows it.
    ///
    /// [`ENOSPC`] when there is no room for it; see [`Self::reserve`].
    pub(crate) fn push(&mut self, space: SpaceId, va: Range<u64>, backing: Backing) -> Result {
        self.list
            .push_within_capacity(Unmap { space, va, backing })
            .map_err(|_| ENOSPC)
    }

    /// Whether there is nothing to unmap.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Unmaps it all. When this returns, no access is under way that uses it. Allocates nothing.
    pub(crate) fn run(&mut self) {
        let mut last = None;
        for unmaps in self.list.chunk_by(|a, b| a.space == b.space) {
            let mut changed: Option<Range<u64>> = None;
            for Unmap { space, va, backing } in unmaps {
                if self.mmu.unmap_backing(*space, va.clone(), *backing) {
                    let all = changed.get_or_insert_with(|| va.clone());
                    *all = all.start.min(va.start)..all.end.max(va.end);
                }
            }
            // One invalidation, and if it is of too much, costs less than many.
            if let (Some(va), [first, ..]) = (changed, unmaps) {
                last = self.mmu.invalidate(first.space, va).or(last);
            }
        }
        if let Some(last) = last {
            self.mmu.wait(last);
        }
        self.list.clear();
    }
}

/// Mappings to make, in ranges that are prepared and stay so until then.
pub(crate) struct DeferredMaps {
    mmu: Arc<Mmu>,
    list: KVVec<Map>,
}

struct Map {
    space: SpaceId,
    va: Range<u64>,
    backing: Backing,
    writable: bool,
    /// Set by then if what is behind the addresses is not what it should be.
    lost: Arc<AtomicFlag>,
}

impl DeferredMaps {
    pub(in crate::hw) fn new(mmu: &Arc<Mmu>) -> Self {
        Self {
            mmu: mmu.clone(),
            list: KVVec::new(),
        }
    }

    /// Notes that the addresses `va` of a space, where nothing is mapped, are to be mapped to
    /// `backing` and what follows it, unless `lost` is set by then.
    pub(crate) fn push(
        &mut self,
        space: SpaceId,
        va: Range<u64>,
        backing: Backing,
        writable: bool,
        lost: &Arc<AtomicFlag>,
    ) -> Result {
        let map = Map {
            space,
            va,
            backing,
            writable,
            lost: lost.clone(),
        };
        Ok(self.list.push(map, GFP_KERNEL)?)
    }

    /// Maps it all. Allocates nothing.
    pub(crate) fn run(&self) -> Result {
        self.list
            .iter()
            .filter(|map| !map.lost.load(Relaxed))
            .try_for_each(|map| {
                self.mmu
                    .map(map.space, map.va.clone(), map.backing, map.writable)
            })
    }
}
