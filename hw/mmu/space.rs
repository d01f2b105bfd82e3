// SPDX-License-Identifier: GPL-2.0

//! An address space.

use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

use super::table::PageTable;

/// The identifier of an allocated address space. That of a freed one matches none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpaceId {
    pub(super) number: u32,
    pub(super) generation: u64,
}

/// The kernel's address space, which is never freed.
pub(super) const KERNEL_SPACE: SpaceId = SpaceId {
    number: 0,
    generation: 0,
};

impl SpaceId {
    /// Returns the number of the address space in registers and packets.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

/// One of the device's address spaces.
///
/// Its lock is taken in the signalling path: memory must not be allocated while it is held.
#[pin_data]
pub(super) struct Space {
    #[pin]
    pub(super) state: Mutex<SpaceState>,
}

/// The state of an address space.
pub(super) struct SpaceState {
    /// [`None`] if the address space is free.
    pub(super) table: Option<PageTable>,
    /// How often it was freed.
    pub(super) generation: u64,
}

impl Space {
    /// Makes a free address space.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(
                SpaceState {
                    table: None,
                    generation: 0,
                },
                "Space::state"
            ),
        })
    }
}
