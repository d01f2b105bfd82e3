// SPDX-License-Identifier: GPL-2.0

//! The page tables of an address space and their lock.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        barrier::{
            mb,
            Write, //
        },
        Mutex, //
    }, //
};

use super::{
    entries::{
        Entries,
        TableAllocator, //
    },
    pool::{
        Allowance,
        Chain,
        Count,
        Pool, //
    },
    registry::Holder,
    spare::Spare,
    table::PageTable, //
};

/// The page tables of an address space, those that it keeps ready, and the lock that every access
/// takes.
///
/// The lock is taken in the signalling path: memory must not be allocated while it is held.
#[pin_data]
pub(super) struct SharedTable {
    /// [`None`] once the device has stopped, or the address space is freed.
    #[pin]
    state: Mutex<Option<State>>,
}

struct State {
    table: PageTable,
    spare: Spare,
}

impl SharedTable {
    /// Shares `table`.
    pub(super) fn new(table: PageTable) -> impl PinInit<Self> {
        let state = State {
            table,
            spare: Spare::new(),
        };
        pin_init!(Self {
            state <- new_mutex!(Some(state), "SharedTable::state"),
        })
    }

    fn with_state<T>(&self, f: impl FnOnce(&mut State) -> T) -> Result<T> {
        let mut state = self.state.lock();
        let done = (*state).as_mut().map(f).ok_or(ENODEV);
        // What is written to VRAM is there before the device is told of it.
        mb(Write);
        done
    }

    /// Calls `f` with the page tables; [`ENODEV`] if they were taken out.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut PageTable) -> T) -> Result<T> {
        self.with_state(|state| f(&mut state.table))
    }

    /// Calls `f` with the page tables, and with those that were promised, which are fewer then;
    /// [`ENODEV`] if they were taken out.
    pub(super) fn with_promised<T>(
        &self,
        promised: &mut Count,
        f: impl FnOnce(&mut PageTable, &mut Allowance<'_>) -> T,
    ) -> Result<T> {
        self.with_state(|State { table, spare }| spare.with(promised, |pool| f(table, pool)))
    }

    /// Promises more tables, which are allocated unless there are enough.
    pub(super) fn promise(&self, allocator: &TableAllocator, more: Count) -> Result {
        let mut pool = Pool::new();
        let losses = allocator.losses();
        loop {
            let done = self.with_state(|State { spare, .. }| {
                if losses != allocator.losses() {
                    pool.restore();
                }
                spare.add(&mut pool);
                spare.promise(more)
            })?;
            match done {
                Ok(()) => return Ok(()),
                Err(missing) => pool.fill(allocator, missing)?,
            }
        }
    }

    /// Takes back a promise. Returns whether there are tables that [`Holder::trim`] may free.
    pub(super) fn release(&self, promised: Count) -> bool {
        self.with_state(|State { spare, .. }| {
            spare.release(promised);
            spare.is_free()
        })
        .unwrap_or(false)
    }

    /// Keeps tables that were removed, and that the device does not use any more, unless there are
    /// many. Returns what [`Self::release`] does.
    pub(super) fn keep(&self, removed: &mut Chain) -> bool {
        self.with_state(|State { spare, .. }| {
            spare.keep(removed);
            spare.is_free()
        })
        .unwrap_or(false)
    }

    /// Returns the number of tables, also of those that are kept ready.
    pub(super) fn tables(&self) -> u64 {
        self.with_state(|State { table, spare }| table.tables() + spare.len())
            .unwrap_or(0)
    }

    /// Calls `f`, and allocates the tables that it says are missing until there are enough.
    pub(super) fn populate(
        &self,
        allocator: &TableAllocator,
        f: impl Fn(&mut PageTable, &mut Allowance<'_>) -> Result<(), Count>,
    ) -> Result {
        let mut pool = Pool::new();
        loop {
            match self.with(|table| f(table, &mut pool.all()))? {
                Ok(()) => return Ok(()),
                Err(missing) => pool.fill(allocator, missing)?,
            }
        }
    }
}

impl Holder for SharedTable {
    fn retire(&self, garbage: &mut Chain) {
        let state = self.state.lock().take();
        if let Some(State { table, spare }) = state {
            garbage.push(table.into_root());
            spare.into_garbage(garbage);
        }
    }

    fn restore(&self) {
        // Without tables there is nothing to restore.
        let _ = self.with_state(|State { table, spare }| {
            table.restore();
            spare.restore();
        });
    }

    fn relocate(&self, offset: u64, entries: &mut Entries) -> bool {
        self.with_state(|State { table, spare }| {
            table.relocate(offset, entries) || spare.relocate(offset, entries)
        })
        .unwrap_or(false)
    }

    fn trim(&self, garbage: &mut Chain) -> bool {
        self.with_state(|State { spare, .. }| {
            spare.trim(garbage);
            spare.is_free()
        })
        .unwrap_or(false)
    }
}
