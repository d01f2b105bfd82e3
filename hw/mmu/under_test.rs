// SPDX-License-Identifier: GPL-2.0

//! Page tables that no device uses, for the in-kernel tests.

use core::ops::Range;

use kernel::prelude::*;

use super::{
    backing::Backing,
    pool::{
        Chain,
        Count,
        Pool, //
    },
    segments,
    table::PageTable, //
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

/// Page tables. Each change gets as many tables as the driver has ready for it.
pub(crate) struct TablesUnderTest {
    bound: BoundDevice,
    table: PageTable,
}

impl TablesUnderTest {
    pub(crate) fn new(bound: BoundDevice) -> Result<Self> {
        Ok(Self {
            table: PageTable::new(&bound)?,
            bound,
        })
    }

    fn pool(&self, count: Count) -> Result<Pool> {
        let mut pool = Pool::new();
        pool.fill(&self.bound, count)?;
        Ok(pool)
    }

    pub(crate) fn insert(&mut self, va: &Range<u64>) -> Result {
        let mut pool = self.pool(PageTable::most_inserted(va))?;
        self.table.insert(va, &mut pool).map_err(|_| EINVAL)
    }

    pub(crate) fn insert_null(&mut self, va: &Range<u64>) -> Result {
        let mut pool = self.pool(PageTable::most_cut(va))?;
        self.table.insert_null(va, &mut pool).map_err(|_| EINVAL)
    }

    pub(crate) fn cut(&mut self, va: &Range<u64>) -> Result {
        let mut pool = self.pool(PageTable::most_cut(va))?;
        self.table.cut(va, &mut pool).map_err(|_| EINVAL)
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
        let mut pool = self.pool(segments::count(segments()))?;
        let mut garbage = Chain::new();
        self.table
            .map(va, segments(), writable, &mut pool, &mut garbage)
    }

    pub(crate) fn map_null(&mut self, va: &Range<u64>) -> Result {
        self.table.map_null(va, true, &mut Chain::new())
    }

    pub(crate) fn unmap(&mut self, va: &Range<u64>) {
        self.table.unmap(va);
    }

    pub(crate) fn remove(&mut self, va: &Range<u64>) {
        self.table.remove(va, &mut Chain::new());
    }

    /// Returns the number of tables.
    pub(crate) fn count(&self) -> u64 {
        self.table.tables()
    }

    /// Returns the page at `va`.
    pub(crate) fn page(&mut self, va: u64) -> Option<PageUnderTest> {
        let (level, entry) = self.table.leaf(va)?;
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
