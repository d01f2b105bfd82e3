// SPDX-License-Identifier: GPL-2.0

//! An address space of a client.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    backing::Backing,
    hw_mmu::Mmu,
    node::Chain,
    registry::SpaceId,
    shared_table::SharedTable,
    table::{
        Depth,
        PageTable, //
    },
    tlb::Invalidation, //
};
use crate::{
    hw::abi::limits::{
        PAGE_SIZE,
        VA_BITS, //
    },
    rust::workqueue::DelayedReclaimWork, //
};

/// An address space: page tables, of which the device uses those of a few spaces at a time.
///
/// A space has one of the device's slots while jobs use it, and keeps it until another space needs
/// it. What is said here of the device's translations costs nothing without a slot.
///
/// When the last reference is dropped, no job uses the space any more. Its tables are freed a little
/// later, so that it may be dropped in the signalling path.
///
/// Once the device has stopped, a space has no tables: what fails then, fails with [`ENODEV`].
pub(crate) struct Space {
    mmu: Arc<Mmu>,
    id: SpaceId,
    root: u64,
    table: Arc<SharedTable>,
}

impl Space {
    /// Allocates an address space, an empty one.
    pub(in crate::hw) fn new(mmu: &Arc<Mmu>) -> Result<Arc<Self>> {
        let table = PageTable::new(&mmu.bound)?;
        let root = table.root();
        let (id, table) = mmu.registry.add(table)?;
        // Dropping it takes the tables out of the registry if there is no memory for the rest.
        let this = Self {
            mmu: mmu.clone(),
            id,
            root,
            table,
        };
        Ok(Arc::new(this, GFP_KERNEL)?)
    }

    /// Allocates all page tables for mapping and unmapping in `va`.
    ///
    /// They stay until [`Self::release`] was called for all of the range, and for each other range
    /// that they were prepared for.
    pub(crate) fn prepare(&self, va: Range<u64>) -> Result {
        let range = range(va)?;
        self.table
            .populate(&self.mmu.bound, &range, Depth::Pages, |table| {
                table.retain(&range)
            })
    }

    /// Undoes [`Self::prepare`] for a range, or a part of one, that is unmapped.
    ///
    /// When this returns, the device no longer uses translations of the range; [`Self::flush`] need
    /// not come before.
    pub(crate) fn release(&self, va: Range<u64>) {
        let Ok(range) = range(va) else {
            return;
        };
        let mut garbage = Chain::new();
        // Without tables there is nothing to release.
        let _ = self.table.with(|table| table.release(&range, &mut garbage));
        // The memory of these tables, and of the mappings, may be reused after this.
        self.flush(range);
        drop(garbage);
    }

    /// Maps `va`, a prepared range, to `backing` and the addresses that follow it.
    ///
    /// Where something is mapped already, [`Self::flush`] has to follow.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if anything is not a multiple of the page size or too large, or if the range is
    /// not prepared.
    pub(crate) fn map(&self, va: Range<u64>, backing: Backing, writable: bool) -> Result {
        let range = range(va)?;
        let hides_tables = self
            .table
            .with(|table| table.map(&range, backing, writable, Depth::Pages))??;
        if hides_tables {
            self.flush(range);
        }
        Ok(())
    }

    /// Unmaps all of `va`, a prepared range. [`Self::flush`], or [`Self::release`], has to follow.
    pub(crate) fn unmap(&self, va: Range<u64>) {
        if let Ok(range) = range(va) {
            // Without tables nothing is mapped.
            let _ = self.table.with(|table| table.unmap(&range));
        }
    }

    /// Unmaps those pages of a range that are mapped to `backing` and the addresses that follow it.
    /// Returns whether there were any; then [`Self::flush`] has to follow.
    pub(super) fn unmap_backing(&self, va: Range<u64>, backing: Backing) -> bool {
        range(va)
            .and_then(|range| {
                self.table
                    .with(|table| table.unmap_backing(&range, backing))
            })
            .unwrap_or(false)
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

    pub(super) fn mmu(&self) -> &Arc<Mmu> {
        &self.mmu
    }

    pub(super) fn id(&self) -> SpaceId {
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
        self.mmu.registry.remove(self.id);
        self.mmu.clone().enqueue_delayed(0);
    }
}

/// Returns `va` if it is a valid range of pages.
fn range(va: Range<u64>) -> Result<Range<u64>> {
    if va.is_empty()
        || va.start % PAGE_SIZE != 0
        || va.end % PAGE_SIZE != 0
        || va.end > 1 << VA_BITS
    {
        return Err(EINVAL);
    }
    Ok(va)
}
