// SPDX-License-Identifier: GPL-2.0

//! Page tables in stock, for changes that must not allocate.

use core::ops::Range;

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use super::{
    backing::Backing,
    hw_mmu::Mmu,
    pool::{
        Chain,
        Count,
        Pool, //
    },
    registry::{
        Holder,
        HolderId, //
    },
    segments,
    table::PageTable, //
};
use crate::hw::abi::pte::BLOCK_2M;

/// A pool that loses its tables when the device stops.
#[pin_data]
struct SharedPool {
    #[pin]
    pool: Mutex<Pool>,
}

impl Holder for SharedPool {
    fn retire(&self, garbage: &mut Chain) {
        self.pool.lock().empty_into(garbage);
    }
}

/// Page tables in stock.
///
/// They are allocated, and charged to the caller's memory cgroup, in the call that asks for a change
/// of an address space, in the number that the change takes at most. The change takes those that it
/// needs, later and where memory cannot be allocated. The rest is freed when this is dropped, which
/// may be in the signalling path.
pub(crate) struct Tables {
    mmu: Arc<Mmu>,
    id: HolderId,
    pool: Arc<SharedPool>,
}

impl Tables {
    pub(super) fn new(mmu: &Arc<Mmu>) -> Result<Self> {
        let pool = Arc::pin_init(
            pin_init!(SharedPool {
                pool <- new_mutex!(Pool::new(), "SharedPool::pool"),
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        Ok(Self {
            mmu: mmu.clone(),
            id: mmu.registry.add(pool.clone())?,
            pool,
        })
    }

    /// Adds what [`Space::insert`](super::Space::insert) takes for `va`.
    pub(crate) fn add_for_insert(&mut self, va: &Range<u64>) -> Result {
        self.add(PageTable::most_inserted(va))
    }

    /// Adds what [`Space::cut`](super::Space::cut), or
    /// [`Space::insert_null`](super::Space::insert_null), takes for `va`.
    pub(crate) fn add_for_cut(&mut self, va: &Range<u64>) -> Result {
        self.add(PageTable::most_cut(va))
    }

    /// Adds what [`Space::map`](super::Space::map) takes for `va` at most, wherever the memory is.
    pub(crate) fn add_for_pages(&mut self, va: &Range<u64>) -> Result {
        let first = va.start / BLOCK_2M;
        self.add(Count {
            leaves: va.end.div_ceil(BLOCK_2M) - first,
            inner: 0,
        })
    }

    /// Adds what [`Space::map`](super::Space::map) takes for these segments, in ascending order.
    pub(crate) fn add_for_segments(
        &mut self,
        segments: impl Iterator<Item = (Range<u64>, Backing)>,
    ) -> Result {
        self.add(segments::count(segments))
    }

    fn add(&mut self, count: Count) -> Result {
        let mut more = Pool::new();
        more.fill(&self.mmu.bound, count)?;
        self.with(|pool| pool.append(&mut more));
        Ok(())
    }

    pub(super) fn with<T>(&mut self, f: impl FnOnce(&mut Pool) -> T) -> T {
        f(&mut self.pool.pool.lock())
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        if self.mmu.registry.remove(self.id) {
            self.mmu.free_garbage();
        }
    }
}
