// SPDX-License-Identifier: GPL-2.0

//! The page tables of an address space and their lock.

use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

use super::{
    pool::{
        Chain,
        Count,
        Pool, //
    },
    registry::Holder,
    table::PageTable, //
};
use crate::rust::devres::BoundDevice;

/// The page tables of an address space, with the lock that every access takes.
///
/// The lock is taken in the signalling path: memory must not be allocated while it is held.
#[pin_data]
pub(super) struct SharedTable {
    /// [`None`] once the device has stopped, or the address space is freed.
    #[pin]
    table: Mutex<Option<PageTable>>,
}

impl SharedTable {
    /// Shares `table`.
    pub(super) fn new(table: PageTable) -> impl PinInit<Self> {
        pin_init!(Self {
            table <- new_mutex!(Some(table), "SharedTable::table"),
        })
    }

    /// Calls `f` with the page tables; [`ENODEV`] if they were taken out.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut PageTable) -> T) -> Result<T> {
        let mut table = self.table.lock();
        (*table).as_mut().map(f).ok_or(ENODEV)
    }

    /// Calls `f`, and allocates the tables that it says are missing until there are enough.
    pub(super) fn populate(
        &self,
        bound: &BoundDevice,
        f: impl Fn(&mut PageTable, &mut Pool) -> Result<(), Count>,
    ) -> Result {
        let mut pool = Pool::new();
        loop {
            match self.with(|table| f(table, &mut pool))? {
                Ok(()) => return Ok(()),
                Err(missing) => pool.fill(bound, missing)?,
            }
        }
    }
}

impl Holder for SharedTable {
    fn retire(&self, garbage: &mut Chain) {
        let table = self.table.lock().take();
        if let Some(table) = table {
            garbage.push(table.into_root());
        }
    }
}
