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
            Atomic,
            Relaxed, //
        },
        CondVar,
        SpinLock, //
    }, //
};

use super::{
    Bo,
    Device,
    DriverBo, //
};
use crate::rust::dma_buf::MappedSg;

/// Counts the mappings of a BO. The reservation protects it, but for a waiter, who only reads it.
pub(super) struct Mappings {
    pages: Atomic<u32>,
    peers: Atomic<u32>,
}

impl Mappings {
    /// Makes counts of nothing.
    pub(super) const fn new() -> Self {
        Self {
            pages: Atomic::new(0),
            peers: Atomic::new(0),
        }
    }

    fn of(&self, peer: bool) -> &Atomic<u32> {
        if peer {
            &self.peers
        } else {
            &self.pages
        }
    }
}

/// Wakes who waits for the mappings of a device's BOs to go.
#[pin_data]
pub(super) struct Unmapped {
    #[pin]
    lock: SpinLock<()>,
    #[pin]
    changed: CondVar,
}

impl Unmapped {
    /// Makes one without waiters.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            lock <- new_spinlock!((), "Unmapped::lock"),
            changed <- new_condvar!("Unmapped::changed"),
        })
    }
}

impl<T: DriverBo> Bo<T> {
    /// Counts a mapping that an importer gets. The reservation must be held.
    pub(super) fn count_mapping(&self, mapped: &MappedSg<'_>) {
        if mapped.attachment().is_revocable() {
            self.mappings().of(mapped.is_peer()).fetch_add(1, Relaxed);
        }
    }

    /// Unmaps what [`Self::count_mapping()`] has counted. The reservation must be held.
    pub(super) fn unmap_counted(&self, mapped: MappedSg<'_>) {
        let (revocable, peer) = (mapped.attachment().is_revocable(), mapped.is_peer());
        drop(mapped);
        if revocable {
            let unmapped = Device::<T::Driver>::of(self.device()).unmapped();
            let _guard = unmapped.lock.lock();
            self.mappings().of(peer).fetch_sub(1, Relaxed);
            unmapped.changed.notify_all();
        }
    }

    /// Waits until importers have unmapped memory of the device's own and, with `pages`, system
    /// pages. The reservation must not be held, and no new mapping can be had any more.
    pub(super) fn wait_unmapped(&self, pages: bool) {
        let unmapped = Device::<T::Driver>::of(self.device()).unmapped();
        let mapped = |peer| self.mappings().of(peer).load(Relaxed) != 0;

        let mut guard = unmapped.lock.lock();
        while mapped(true) || pages && mapped(false) {
            unmapped.changed.wait(&mut guard);
        }
    }
}
