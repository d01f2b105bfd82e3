// SPDX-License-Identifier: GPL-2.0

//! Page tables that changes of an address space are promised.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    backing::Backing,
    hw_mmu::Mmu,
    pool::{
        Allowance,
        Count, //
    },
    segments,
    shared_table::SharedTable,
    table::PageTable, //
};
use crate::hw::abi::pte::BLOCK_2M;

/// Page tables that a change of an address space is promised.
///
/// In the call that asks for the change, the address space gets as many as the change takes at most,
/// beside those that it has promised already. What it lacks is allocated, and charged to the caller's
/// memory cgroup. The change takes those that it needs, later and where memory cannot be allocated.
/// The others are for the next change when this is dropped, which may be in the signalling path.
pub(crate) struct Tables {
    mmu: Arc<Mmu>,
    table: Arc<SharedTable>,
    promised: Count,
}

impl Tables {
    /// Makes a promise of no tables.
    pub(super) fn new(mmu: &Arc<Mmu>, table: &Arc<SharedTable>) -> Self {
        Self {
            mmu: mmu.clone(),
            table: table.clone(),
            promised: Count::NONE,
        }
    }

    /// Sees that there is what [`Space::insert`](super::Space::insert) takes for `va`.
    pub(super) fn cover_insert(&mut self, va: &Range<u64>) -> Result {
        self.cover(PageTable::most_inserted(va))
    }

    /// Sees that there is what [`Space::cut`](super::Space::cut), or
    /// [`Space::insert_null`](super::Space::insert_null), takes for `va`.
    pub(super) fn cover_cut(&mut self, va: &Range<u64>) -> Result {
        self.cover(PageTable::most_cut(va))
    }

    /// Sees that there is what inserting a range and mapping it to these segments takes, in
    /// ascending order, if there is what inserting it takes.
    pub(crate) fn cover_segments(
        &mut self,
        segments: impl Iterator<Item = (Range<u64>, Backing)>,
    ) -> Result {
        // A table of level 0 for an end of the range is among those for the segments.
        self.cover(segments::count(segments))
    }

    /// Adds what [`SpaceUpdate::map`](super::SpaceUpdate::map) takes for `va` at most, wherever the
    /// memory is.
    pub(crate) fn add_for_pages(&mut self, va: &Range<u64>) -> Result {
        let first = va.start / BLOCK_2M;
        self.add(Count {
            leaves: va.end.div_ceil(BLOCK_2M) - first,
            inner: 0,
        })
    }

    /// Adds what [`SpaceUpdate::map`](super::SpaceUpdate::map) takes for these segments, in ascending
    /// order.
    pub(crate) fn add_for_segments(
        &mut self,
        segments: impl Iterator<Item = (Range<u64>, Backing)>,
    ) -> Result {
        self.add(segments::count(segments))
    }

    fn cover(&mut self, count: Count) -> Result {
        self.add(count.beyond(self.promised))
    }

    fn add(&mut self, more: Count) -> Result {
        self.table.promise(&self.mmu.tables, more)?;
        self.promised += more;
        Ok(())
    }

    /// Calls `f` with the page tables of the space of `table` and those of the promise. [`EINVAL`]
    /// if that is for another space, [`ENODEV`] once the device has stopped.
    pub(super) fn with<T>(
        &mut self,
        table: &Arc<SharedTable>,
        f: impl FnOnce(&mut PageTable, &mut Allowance<'_>) -> T,
    ) -> Result<T> {
        if !Arc::ptr_eq(table, &self.table) {
            return Err(EINVAL);
        }
        table.with_promised(&mut self.promised, f)
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        if self.table.release(self.promised) {
            self.mmu.trim_later();
        }
    }
}
