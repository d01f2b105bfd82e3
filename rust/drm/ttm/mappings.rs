// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Mappings of buffer objects by importers that unmap within bounded time when they are told to.
//!
//! The exporter waits for them before its device is unbound, as `dma_buf_invalidate_mappings()`
//! asks of one that ends all access.

use kernel::{
    new_condvar,
    new_spinlock,
    prelude::*,
    sync::{
        atomic::{
            Atomic, //
        },
        CondVar,
        SpinLock, //
    }, //
};

/// The number of mappings of a BO. The reservation protects it, but for a waiter, which only reads
/// it.
pub(super) struct Mappings {
    pages: Atomic<u32>,
    peers: Atomic<u32>,
}

impl Mappings {
    /// Creates counts of zero.
    pub(super) const fn new() -> Self {
        Self {
            pages: Atomic::new(0),
            peers: Atomic::new(0),
        }
    }

    pub(super) fn of(&self, peer: bool) -> &Atomic<u32> {
        if peer {
            &self.peers
        } else {
            &self.pages
        }
    }
}

/// A wait queue for the end of the mappings of a device's BOs.
#[pin_data]
pub(super) struct Unmapped {
    #[pin]
    pub(super) lock: SpinLock<()>,
    #[pin]
    pub(super) changed: CondVar,
}

impl Unmapped {
    /// Creates the wait queue.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            lock <- new_spinlock!((), "Unmapped::lock"),
            changed <- new_condvar!("Unmapped::changed"),
        })
    }
}
