// SPDX-License-Identifier: GPL-2.0

//! An address space of a client.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    hw_mmu::Mmu,
    pool::{
        Allowance,
        Chain,
        Count, //
    },
    registry::HolderId,
    shared_table::SharedTable,
    table::PageTable,
    tables::Tables,
    tlb::Invalidation, //
};
use crate::hw::abi::limits::{
    PAGE_SIZE,
    VA_BITS, //
};

/// An address space: page tables, of which the device uses those of a few spaces at a time.
///
/// A space has one of the device's slots while jobs use it, and keeps it until another space needs
/// it. What is said here of the device's translations costs nothing without a slot.
///
/// A range is [inserted](Self::insert) before something is mapped there, and
/// [released](Self::release) when nothing is any more. Both count, so that ranges may overlap
/// meanwhile. Nothing but the making of [`Tables`] allocates.
///
/// When the last reference is dropped, no job uses the space any more. Its tables are freed a little
/// later, so that it may be dropped in the signalling path.
///
/// Once the device has stopped, a space has no tables: what can fail then, fails with [`ENODEV`].
pub(crate) struct Space {
    mmu: Arc<Mmu>,
    id: HolderId,
    root: u64,
    table: Arc<SharedTable>,
}

impl Space {
    /// Allocates an address space, an empty one.
    pub(in crate::hw) fn new(mmu: &Arc<Mmu>) -> Result<Arc<Self>> {
        let table = PageTable::new(&mmu.tables)?;
        let root = table.root();
        let table = Arc::pin_init(SharedTable::new(table), GFP_KERNEL_ACCOUNT)?;
        // Dropping it takes the tables out of the registry if there is no memory for the rest.
        let this = Self {
            mmu: mmu.clone(),
            id: mmu.registry.add(table.clone())?,
            root,
            table,
        };
        Ok(Arc::new(this, GFP_KERNEL_ACCOUNT)?)
    }

    /// Makes a promise of no tables yet.
    pub(crate) fn tables(&self) -> Tables {
        Tables::new(&self.mmu, &self.table)
    }

    /// Makes a promise of the tables that inserting `va` takes, whatever is mapped by then.
    pub(crate) fn tables_for(&self, va: &Range<u64>) -> Result<Tables> {
        let mut tables = self.tables();
        tables.cover_insert(va)?;
        Ok(tables)
    }

    /// Makes a promise of the tables that cutting `va` out takes, or inserting it as a null range.
    pub(crate) fn tables_for_cut(&self, va: &Range<u64>) -> Result<Tables> {
        let mut tables = self.tables();
        tables.cover_cut(va)?;
        Ok(tables)
    }

    /// Inserts a range, with tables of [`Self::tables_for`]. They stay until [`Self::release`]
    /// was called for all of the range, and for each other range that was inserted.
    ///
    /// # Errors
    ///
    /// Nothing was changed then.
    ///
    /// - [`EINVAL`]: the range is empty, no multiple of the page size or too large, or the tables
    ///   are too few.
    pub(crate) fn insert(&self, va: &Range<u64>, tables: &mut Tables) -> Result {
        self.change(va, tables, |table, pool| table.insert(va, pool))
    }

    /// Inserts a null range, with tables of [`Self::tables_for_cut`], otherwise as [`Self::insert`].
    pub(crate) fn insert_null(&self, va: &Range<u64>, tables: &mut Tables) -> Result {
        self.change(va, tables, |table, pool| table.insert_null(va, pool))
    }

    /// Makes it possible to unmap and release `va`, if that is a part of a range that was inserted,
    /// with tables of [`Self::tables_for_cut`]. What is mapped stays the same.
    ///
    /// Errors as of [`Self::insert`].
    pub(crate) fn cut(&self, va: &Range<u64>, tables: &mut Tables) -> Result {
        self.change(va, tables, |table, pool| table.cut(va, pool))
    }

    fn change(
        &self,
        va: &Range<u64>,
        tables: &mut Tables,
        f: impl FnOnce(&mut PageTable, &mut Allowance<'_>) -> Result<(), Count>,
    ) -> Result {
        check(va)?;
        tables.with(&self.table, f)?.map_err(|_| EINVAL)
    }

    /// Unmaps all of `va`: an inserted range, or a part of one that was cut out. [`Self::flush`], or
    /// [`Self::release`], has to follow.
    pub(crate) fn unmap(&self, va: &Range<u64>) {
        if check(va).is_ok() {
            // Without tables nothing is mapped.
            let _ = self.table.with(|table| table.unmap(va));
        }
    }

    /// Returns the bytes of the page tables, also of those that it keeps ready.
    pub(crate) fn table_bytes(&self) -> u64 {
        self.table.tables() * PAGE_SIZE
    }

    /// Invalidates the device's TLB for `va`. When this returns, no access is under way that uses
    /// an old translation.
    pub(crate) fn flush(&self, va: Range<u64>) {
        if let Some(invalidation) = self.invalidate(va) {
            self.mmu.wait(invalidation);
        }
    }

    /// Queues the invalidation that [`Self::flush`] waits for. [`None`] if there is nothing to
    /// invalidate.
    pub(crate) fn invalidate(&self, va: Range<u64>) -> Option<Invalidation> {
        self.mmu
            .slots
            .with_slot(self.id, |slot| self.mmu.tlb.invalidate(slot, va))?
    }

    pub(super) fn table(&self) -> &Arc<SharedTable> {
        &self.table
    }

    /// Keeps or frees tables that were removed, and that the device does not use any more.
    pub(super) fn keep(&self, mut removed: Chain) {
        if removed.is_empty() {
            return;
        }
        if self.table.keep(&mut removed) {
            self.mmu.trim_later();
        }
        self.mmu.free_later(removed);
    }

    pub(super) fn mmu(&self) -> &Arc<Mmu> {
        &self.mmu
    }

    pub(super) fn id(&self) -> HolderId {
        self.id
    }

    /// Returns the entry for a slot's root register.
    pub(super) fn root(&self) -> u64 {
        self.root
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        // Before the memory of the tables is reused.
        self.mmu.slots.free(self.id);
        if self.mmu.registry.remove(self.id) {
            self.mmu.free_garbage();
        }
    }
}

/// Checks that `va` is a valid range of pages.
pub(super) fn check(va: &Range<u64>) -> Result {
    if va.is_empty() || (va.start | va.end) % PAGE_SIZE != 0 || va.end > 1 << VA_BITS {
        return Err(EINVAL);
    }
    Ok(())
}
