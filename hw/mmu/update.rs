// SPDX-License-Identifier: GPL-2.0

//! Updates: changes of an address space that end with one invalidation of the TLB.

use core::{
    mem,
    ops::Range, //
};

use kernel::{
    prelude::*,
    sync::MutexGuard, //
};

use super::{
    backing::Backing,
    pool::Chain,
    space::{
        check,
        Space, //
    },
    tables::Tables, //
};

/// An update of an address space. Nothing in it allocates.
///
/// Until it is dropped the device may still use what was removed. To give memory to others, take it
/// out of the page tables first, and then call [`Gpu::wait_updates()`], as an update may just have
/// removed it.
///
/// [`Gpu::wait_updates()`]: crate::hw::Gpu::wait_updates
pub(crate) struct SpaceUpdate<'a> {
    space: &'a Space,
    /// What has to be invalidated.
    stale: Option<Range<u64>>,
    /// Tables that the device may still use.
    garbage: Chain,
    _updates: MutexGuard<'a, ()>,
}

impl Space {
    /// Begins an update. There is one at a time.
    pub(crate) fn update(&self) -> SpaceUpdate<'_> {
        SpaceUpdate {
            space: self,
            stale: None,
            garbage: Chain::new(),
            _updates: self.mmu().updates.lock(),
        }
    }
}

impl SpaceUpdate<'_> {
    /// See [`Space::insert()`].
    pub(crate) fn insert(&mut self, va: &Range<u64>, tables: &mut Tables) -> Result {
        self.space.insert(va, tables)
    }

    /// See [`Space::insert_null()`].
    pub(crate) fn insert_null(&mut self, va: &Range<u64>, tables: &mut Tables) -> Result {
        self.space.insert_null(va, tables)
    }

    /// See [`Space::cut()`].
    pub(crate) fn cut(&mut self, va: &Range<u64>, tables: &mut Tables) -> Result {
        self.space.cut(va, tables)
    }

    /// Maps `va`, an inserted range where nothing is mapped, to the memory of `segments`, in ascending
    /// order, with tables of [`Tables::cover_segments()`], [`Tables::add_for_segments()`] or
    /// [`Tables::add_for_pages()`].
    ///
    /// Errors, with which a part of the range may be mapped:
    ///
    /// - [`EINVAL`]: anything is not a multiple of the page size or too large, no segment has a part
    ///   of the range, or it is not inserted.
    /// - [`ENOMEM`]: the tables are too few.
    /// - [`ENODEV`]: the device has stopped.
    pub(crate) fn map(
        &mut self,
        va: &Range<u64>,
        segments: impl Iterator<Item = (Range<u64>, Backing)>,
        writable: bool,
        tables: &mut Tables,
    ) -> Result {
        check(va)?;
        let before = self.garbage.len();
        let garbage = &mut self.garbage;

        let done = tables.with(self.space.table(), |table, pool| {
            table.map(va, segments, writable, pool, garbage)
        });
        self.note_garbage(before, va);
        done?
    }

    /// Maps `va`, which was inserted as a null range: reads give zeros, writes are dropped.
    pub(crate) fn map_null(&mut self, va: &Range<u64>) -> Result {
        check(va)?;
        let before = self.garbage.len();
        let garbage = &mut self.garbage;

        let done = self
            .space
            .table()
            .with(|table| table.map_null(va, true, garbage));
        self.note_garbage(before, va);
        done?
    }

    /// Unmaps and releases `va`: an inserted range, or a part of one that was cut out.
    pub(crate) fn remove(&mut self, va: Range<u64>) {
        if check(&va).is_err() {
            return;
        }
        let garbage = &mut self.garbage;

        // Without tables nothing is mapped.
        let _ = self.space.table().with(|table| {
            // In this order, tables without users go as they are.
            table.remove(&va, garbage);
            table.unmap(&va);
        });
        self.add_stale(va);
    }

    /// Tables that pages have replaced may be in the TLB.
    fn note_garbage(&mut self, before: u64, va: &Range<u64>) {
        if self.garbage.len() != before {
            self.add_stale(va.clone());
        }
    }

    fn add_stale(&mut self, va: Range<u64>) {
        // One invalidation, even of a larger range, is cheaper than many.
        let stale = self.stale.get_or_insert_with(|| va.clone());
        *stale = stale.start.min(va.start)..stale.end.max(va.end);
    }
}

impl Drop for SpaceUpdate<'_> {
    fn drop(&mut self) {
        if let Some(stale) = self.stale.take() {
            self.space.flush(stale);
        }
        let garbage = mem::replace(&mut self.garbage, Chain::new());
        self.space.keep(garbage);
    }
}
