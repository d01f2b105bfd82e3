// SPDX-License-Identifier: GPL-2.0

//! All address spaces of clients, for the end of the device.

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
    node::Chain,
    shared_table::SharedTable,
    table::PageTable, //
};

/// The number of an address space, which is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SpaceId(u64);

/// The address spaces of a device, and the tables of those that are gone.
///
/// Spaces go in the signalling path, where freeing memory would wait. Their tables are freed by a
/// work item, and all that are left when the device stops.
#[pin_data]
pub(super) struct Registry {
    #[pin]
    state: Mutex<State>,
}

struct State {
    next: u64,
    spaces: RBTree<SpaceId, Arc<SharedTable>>,
    /// Page tables that nothing uses any more.
    garbage: Chain,
}

impl State {
    /// Takes the page tables of a space out. Does nothing for one that is not there.
    fn retire(&mut self, id: SpaceId) {
        if let Some(table) = self.spaces.remove(&id).and_then(|shared| shared.take()) {
            self.garbage.push(table.into_root());
        }
    }
}

impl Registry {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(
                State {
                    next: 1,
                    spaces: RBTree::new(),
                    garbage: Chain::new(),
                },
                "Registry::state"
            ),
        })
    }

    /// Adds a space with these page tables.
    pub(super) fn add(&self, table: PageTable) -> Result<(SpaceId, Arc<SharedTable>)> {
        let shared = Arc::pin_init(SharedTable::new(table), GFP_KERNEL)?;
        let reservation = RBTreeNodeReservation::new(GFP_KERNEL)?;

        let mut state = self.state.lock();
        let id = SpaceId(state.next);
        state.next += 1;
        let node = reservation.into_node(id, shared.clone());
        let replaced = state.spaces.insert(node);
        drop(state);
        drop(replaced);
        Ok((id, shared))
    }

    /// Removes a space, which nothing uses any more. [`Self::take_garbage`] has to follow.
    ///
    /// Neither allocates nor frees page tables.
    pub(super) fn remove(&self, id: SpaceId) {
        self.state.lock().retire(id);
    }

    /// Takes the page tables of all spaces out, which the device does not use any more.
    pub(super) fn retire_all(&self) {
        let mut state = self.state.lock();
        loop {
            let first = state.spaces.keys().next().copied();
            let Some(id) = first else {
                return;
            };
            state.retire(id);
        }
    }

    /// Returns the page tables that can be freed.
    pub(super) fn take_garbage(&self) -> Chain {
        core::mem::replace(&mut self.state.lock().garbage, Chain::new())
    }
}
