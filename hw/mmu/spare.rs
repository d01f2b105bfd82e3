// SPDX-License-Identifier: GPL-2.0

//! Tables that an address space keeps for its next changes.

use super::{
    entries::Entries,
    pool::{
        Allowance,
        Chain,
        Count,
        Pool, //
    }, //
};

/// The most tables that are kept and not promised.
const MAX: Count = Count {
    leaves: 256,
    inner: 32,
};

/// Tables that an address space keeps for its next changes.
///
/// Changes that are still to be made were promised the most that they may take; they use little of
/// it, so that the next change finds it here. What a change removes comes here, too, once the TLB is
/// invalidated. Those that were not needed for a while are [freed](Self::trim).
///
/// # Invariants
///
/// `pool` has all that is promised.
pub(super) struct Spare {
    pool: Pool,
    promised: Count,
    /// The fewest tables that were not promised since [`Self::trim`].
    unused: Count,
}

impl Spare {
    pub(super) const fn new() -> Self {
        Self {
            pool: Pool::new(),
            promised: Count::NONE,
            unused: Count::NONE,
        }
    }

    /// Returns the number of tables.
    pub(super) fn len(&self) -> u64 {
        self.pool.count().total()
    }

    /// Returns whether there are tables that are not promised.
    pub(super) fn is_free(&self) -> bool {
        self.free() != Count::NONE
    }

    fn free(&self) -> Count {
        self.pool.count().beyond(self.promised)
    }

    /// Adds new tables.
    pub(super) fn add(&mut self, tables: &mut Pool) {
        self.pool.append(tables);
    }

    /// Promises more tables. If there are too few, nothing is changed, and the missing ones are
    /// returned.
    pub(super) fn promise(&mut self, more: Count) -> Result<(), Count> {
        let missing = more.beyond(self.free());
        if missing != Count::NONE {
            return Err(missing);
        }
        // INVARIANT: They are free.
        self.promised += more;
        self.unused = self.unused.min(self.free());
        Ok(())
    }

    /// Takes back a promise.
    pub(super) fn release(&mut self, promised: Count) {
        self.promised -= promised;
    }

    /// Calls `f`, which may take the tables of a promise, and takes those off it.
    pub(super) fn with<T>(
        &mut self,
        promised: &mut Count,
        f: impl FnOnce(&mut Allowance<'_>) -> T,
    ) -> T {
        let mut allowance = self.pool.some(*promised);
        let result = f(&mut allowance);
        let left = allowance.left();
        // INVARIANT: So many were taken.
        self.promised -= promised.beyond(left);
        *promised = left;
        result
    }

    /// Keeps tables of `removed`, which the device does not use any more, unless there are many.
    pub(super) fn keep(&mut self, removed: &mut Chain) {
        let mut rest = Chain::new();
        let mut room = MAX.beyond(self.free());
        while let Some(node) = removed.pop() {
            let one = Count::of(&node);
            if node.is_empty() && room.covers(one) {
                room -= one;
                self.pool.push(node);
            } else {
                rest.push(node);
            }
        }
        *removed = rest;
    }

    /// Moves tables to `garbage` that were not promised since the last call.
    pub(super) fn trim(&mut self, garbage: &mut Chain) {
        self.pool.drain(self.unused, garbage);
        self.unused = self.free();
    }

    /// Writes the tables anew, in VRAM that may have lost its content.
    pub(super) fn restore(&self) {
        self.pool.restore();
    }

    /// See [`Node::relocate`](super::node::Node::relocate).
    pub(super) fn relocate(&mut self, offset: u64, entries: &mut Entries) -> bool {
        self.pool.relocate(offset, entries)
    }

    /// Moves all tables to `garbage`.
    pub(super) fn into_garbage(mut self, garbage: &mut Chain) {
        self.pool.drain(self.pool.count(), garbage);
    }
}
