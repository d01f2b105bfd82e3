// SPDX-License-Identifier: GPL-2.0

//! Page tables that no device uses, for the in-kernel tests.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    backing::Backing,
    entries::TableAllocator,
    pool::{
        Allowance,
        Chain,
        Count, //
    },
    registry::Holder,
    segments,
    shared_table::SharedTable,
    table::PageTable,
    table_memory::{
        TableMemory,
        TableWindow, //
    }, //
};
use crate::{
    hw::abi::pte::{
        ADDRESS,
        SPARSE,
        SYSTEM,
        WRITABLE, //
    },
    rust::devres::BoundDevice, //
};

/// A page as the device would find it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PageUnderTest {
    /// The level of its entry.
    pub(crate) level: u32,
    /// The DMA address of the page; [`None`] if it is sparse.
    pub(crate) address: Option<u64>,
    /// Whether it may be written.
    pub(crate) writable: bool,
}

/// Page tables. Each change is promised as many tables as the driver promises for it.
pub(crate) struct TablesUnderTest {
    allocator: TableAllocator,
    table: Arc<SharedTable>,
}

impl TablesUnderTest {
    pub(crate) fn new(bound: BoundDevice) -> Result<Self> {
        Self::with(TableAllocator::new(bound))
    }

    /// Makes tables in the first `size` bytes of VRAM, as far as there is room.
    pub(crate) fn in_vram(
        bound: BoundDevice,
        window: KBox<dyn TableWindow>,
        size: u64,
    ) -> Result<Self> {
        let allocator = TableAllocator::new(bound);
        allocator.set_vram(TableMemory::new(window, size)?);
        Self::with(allocator)
    }

    fn with(allocator: TableAllocator) -> Result<Self> {
        let table = SharedTable::new(PageTable::new(&allocator)?);
        Ok(Self {
            table: Arc::pin_init(table, GFP_KERNEL)?,
            allocator,
        })
    }

    /// Makes a change, with the tables that it takes at most, and keeps those that it removes.
    fn change<T>(
        &self,
        most: Count,
        f: impl FnOnce(&mut PageTable, &mut Allowance<'_>, &mut Chain) -> T,
    ) -> Result<T> {
        let (mut left, mut garbage) = (most, Chain::new());
        self.table.promise(&self.allocator, most)?;
        let done = self
            .table
            .with_promised(&mut left, |table, pool| f(table, pool, &mut garbage))?;
        self.table.release(left);
        self.table.keep(&mut garbage);
        Ok(done)
    }

    pub(crate) fn insert(&mut self, va: &Range<u64>) -> Result {
        self.change(PageTable::most_inserted(va), |table, pool, _| {
            table.insert(va, pool)
        })?
        .map_err(|_| EINVAL)
    }

    pub(crate) fn insert_null(&mut self, va: &Range<u64>) -> Result {
        self.change(PageTable::most_cut(va), |table, pool, _| {
            table.insert_null(va, pool)
        })?
        .map_err(|_| EINVAL)
    }

    pub(crate) fn cut(&mut self, va: &Range<u64>) -> Result {
        self.change(PageTable::most_cut(va), |table, pool, _| {
            table.cut(va, pool)
        })?
        .map_err(|_| EINVAL)
    }

    /// Maps to system memory, segment by segment.
    pub(crate) fn map(
        &mut self,
        va: &Range<u64>,
        segments: &[(Range<u64>, u64)],
        writable: bool,
    ) -> Result {
        let segments = || {
            segments
                .iter()
                .map(|(va, address)| (va.clone(), Backing::System(*address)))
        };
        self.change(segments::count(segments()), |table, pool, garbage| {
            table.map(va, segments(), writable, pool, garbage)
        })?
    }

    pub(crate) fn map_null(&mut self, va: &Range<u64>) -> Result {
        self.change(Count::NONE, |table, _, garbage| {
            table.map_null(va, true, garbage)
        })?
    }

    pub(crate) fn unmap(&mut self, va: &Range<u64>) -> Result {
        self.table.with(|table| table.unmap(va))
    }

    pub(crate) fn remove(&mut self, va: &Range<u64>) -> Result {
        self.change(Count::NONE, |table, _, garbage| table.remove(va, garbage))
    }

    /// Returns the entry of the highest level for `va`, which is in system memory.
    pub(crate) fn top_entry(&self, va: u64) -> u64 {
        self.table.with(|table| table.top_entry(va)).unwrap_or(0)
    }

    /// Writes all tables anew, as after a reset of the device.
    pub(crate) fn restore(&self) {
        self.table.restore();
    }

    /// Moves the table at `offset` in VRAM, as when that goes bad.
    pub(crate) fn relocate(&self, offset: u64) -> Result<bool> {
        let is_new = self
            .allocator
            .vram()
            .and_then(|memory| memory.retire(offset));
        let mut entries = self.allocator.alloc()?;
        Ok(is_new == Some(true) && self.table.relocate(offset, &mut entries))
    }

    /// Returns how many bytes of VRAM are in use.
    pub(crate) fn vram_used(&self) -> u64 {
        self.allocator
            .vram()
            .map_or(0, |memory| memory.usage().used)
    }

    /// Returns the number of tables that are in use.
    pub(crate) fn count(&self) -> u64 {
        self.table.with(|table| table.tables()).unwrap_or(0)
    }

    /// Returns the number of tables that are kept ready.
    pub(crate) fn kept(&self) -> u64 {
        self.table.tables() - self.count()
    }

    /// Promises the tables that inserting a range takes, for a change that is not made.
    pub(crate) fn promise(&self, va: &Range<u64>) -> Result {
        self.table
            .promise(&self.allocator, PageTable::most_inserted(va))
    }

    /// Takes back what [`Self::promise`] has promised.
    pub(crate) fn release(&self, va: &Range<u64>) {
        self.table.release(PageTable::most_inserted(va));
    }

    /// Frees tables that were not needed since the last call. Returns whether there may be more.
    pub(crate) fn trim(&self) -> bool {
        self.table.trim(&mut Chain::new())
    }

    /// Returns the page at `va`.
    pub(crate) fn page(&mut self, va: u64) -> Option<PageUnderTest> {
        let (level, entry) = self.table.with(|table| table.leaf(va)).ok()??;
        let offset = va % (4096u64 << (9 * level)) / 4096 * 4096;
        let address = (entry & ADDRESS) + offset;
        assert!(entry & SPARSE != 0 || entry & SYSTEM != 0);
        Some(PageUnderTest {
            level,
            address: (entry & SPARSE == 0).then_some(address),
            writable: entry & WRITABLE != 0,
        })
    }
}
