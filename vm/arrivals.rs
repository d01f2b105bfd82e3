// SPDX-License-Identifier: GPL-2.0

//! BOs that are on their way to where a VM maps them.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

use crate::rust::{
    alloc::LazyVec,
    dma_fence::Fence, //
};

/// The BOs whose moves the last binds of a VM wait for: a job that runs behind these fails if one of
/// the BOs has lost its content on the way.
pub(crate) struct Arrivals {
    /// The fences of the binds that have not signalled, and the BOs' flags.
    pending: KVVec<(ARef<Fence>, Arc<AtomicFlag>)>,
}

impl Arrivals {
    pub(super) const fn new() -> Self {
        Self {
            pending: KVVec::new(),
        }
    }

    /// Forgets those that have arrived, and makes room for `more`.
    pub(super) fn reserve(&mut self, more: usize) -> Result {
        self.pending.retain(|(fence, _)| !fence.is_signaled());
        Ok(self.pending.reserve(more, GFP_KERNEL_ACCOUNT)?)
    }

    /// Adds the BO of a flag, for which there is room, that arrives before `fence` signals.
    pub(super) fn add(&mut self, fence: &Fence, lost: &Arc<AtomicFlag>) {
        // There is room.
        let _ = self
            .pending
            .push_within_capacity((fence.into(), lost.clone()));
    }

    /// Returns the flags of those that have not arrived, and of those that are lost.
    pub(super) fn flags(&self) -> Result<LazyVec<Arc<AtomicFlag>>> {
        let mut flags = LazyVec::new();

        for (fence, lost) in &self.pending {
            if lost.load(Relaxed) || !fence.is_signaled() {
                flags.push(lost.clone(), GFP_KERNEL_ACCOUNT)?;
            }
        }
        Ok(flags)
    }
}
