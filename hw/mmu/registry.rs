// SPDX-License-Identifier: GPL-2.0

//! All page tables of clients, for the end of the device.

use kernel::{
    new_mutex,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNodeReservation, //
    },
    sync::{
        Arc,
        Mutex, //
    }, //
};

use super::{
    entries::Entries,
    pool::Chain, //
};

/// A holder of page tables, as long as it is registered.
pub(super) trait Holder: Send + Sync {
    /// Moves all tables to `garbage`. Neither allocates nor frees memory.
    fn retire(&self, garbage: &mut Chain);

    /// Writes all tables anew, in VRAM that may have lost its content. Neither allocates nor frees
    /// memory.
    fn restore(&self);

    /// Moves the table at `offset` in VRAM to `entries`, and what was there to these. Returns whether
    /// there is one. The TLB has to be invalidated then. Neither allocates nor frees memory.
    fn relocate(&self, offset: u64, entries: &mut Entries) -> bool;

    /// Moves tables that were not needed since the last call to `garbage`. Returns whether there may
    /// be more the next time. Neither allocates nor frees memory.
    fn trim(&self, garbage: &mut Chain) -> bool;
}

/// The number of a holder, which is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HolderId(u64);

/// The holders of page tables of a device, and the tables of those that are gone.
///
/// Holders go in the signalling path, where freeing memory would wait. Their tables are freed by a
/// work item, and all that are left when the device stops.
///
/// Lock order: this one, then those of the holders.
#[pin_data]
pub(super) struct Registry {
    #[pin]
    state: Mutex<State>,
}

struct State {
    next: u64,
    holders: RBTree<HolderId, Arc<dyn Holder>>,
    /// Page tables that nothing uses any more.
    garbage: Chain,
}

impl Registry {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(
                State {
                    next: 1,
                    holders: RBTree::new(),
                    garbage: Chain::new(),
                },
                "Registry::state"
            ),
        })
    }

    /// Adds a holder.
    pub(super) fn add(&self, holder: Arc<dyn Holder>) -> Result<HolderId> {
        let reservation = RBTreeNodeReservation::new(GFP_KERNEL_ACCOUNT)?;

        let mut state = self.state.lock();
        let id = HolderId(state.next);
        state.next += 1;
        let replaced = state.holders.insert(reservation.into_node(id, holder));
        drop(state);
        drop(replaced);
        Ok(id)
    }

    /// Removes a holder, whose tables nothing uses any more. Returns whether there is garbage to be
    /// freed then, by [`Self::take_garbage`].
    ///
    /// Neither allocates nor frees page tables.
    pub(super) fn remove(&self, id: HolderId) -> bool {
        let mut state = self.state.lock();
        let State {
            holders, garbage, ..
        } = &mut *state;
        let node = holders.remove_node(&id).map(|node| node.to_key_value());
        if let Some((_, holder)) = &node {
            holder.retire(garbage);
        }
        let has_garbage = !garbage.is_empty();
        drop(state);
        drop(node);
        has_garbage
    }

    /// Adds tables that nothing uses any more.
    pub(super) fn add_garbage(&self, tables: &mut Chain) {
        self.state.lock().garbage.append(tables);
    }

    /// Takes tables that the holders do not need, see [`Holder::trim`].
    pub(super) fn trim(&self) -> (Chain, bool) {
        let (mut garbage, mut has_more) = (Chain::new(), false);
        let state = self.state.lock();
        for holder in state.holders.values() {
            has_more |= holder.trim(&mut garbage);
        }
        drop(state);
        (garbage, has_more)
    }

    /// Has all holders write their tables anew, see [`Holder::restore`].
    pub(super) fn restore(&self) {
        for holder in self.state.lock().holders.values() {
            holder.restore();
        }
    }

    /// Has the holder that has a table at `offset` in VRAM move it, see [`Holder::relocate`].
    pub(super) fn relocate(&self, offset: u64, entries: &mut Entries) -> Option<HolderId> {
        let state = self.state.lock();
        let mut holders = state.holders.iter();
        let (id, _) = holders.find(|(_, holder)| holder.relocate(offset, entries))?;
        Some(*id)
    }

    /// Takes the tables of all holders, which the device does not use any more.
    pub(super) fn retire_all(&self) {
        let mut state = self.state.lock();
        let State {
            holders, garbage, ..
        } = &mut *state;
        for holder in holders.values() {
            holder.retire(garbage);
        }
    }

    /// Returns the page tables that can be freed.
    pub(super) fn take_garbage(&self) -> Chain {
        core::mem::replace(&mut self.state.lock().garbage, Chain::new())
    }
}
