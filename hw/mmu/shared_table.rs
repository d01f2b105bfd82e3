// SPDX-License-Identifier: GPL-2.0

//! The page tables of an address space and their lock.

use core::ops::Range;

use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

use super::{
    node::Pool,
    table::{
        Depth,
        PageTable, //
    }, //
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

    /// Takes the page tables out, for good.
    pub(super) fn take(&self) -> Option<PageTable> {
        self.table.lock().take()
    }

    /// Calls `f` with the page tables; [`ENODEV`] if they were taken out.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut PageTable) -> T) -> Result<T> {
        let mut table = self.table.lock();
        (*table).as_mut().map(f).ok_or(ENODEV)
    }

    /// Allocates the tables for `range`, and calls `then` before they can be released again.
    pub(super) fn populate(
        &self,
        bound: &BoundDevice,
        range: &Range<u64>,
        depth: Depth,
        then: impl Fn(&mut PageTable),
    ) -> Result {
        let mut pool = Pool::new();
        loop {
            let missing = self.with(|table| {
                table
                    .populate(range, depth, &mut pool)
                    .map(|()| then(table))
            })?;
            match missing {
                Ok(()) => return Ok(()),
                Err(count) => pool.fill(bound, count)?,
            }
        }
    }
}
