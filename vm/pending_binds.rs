// SPDX-License-Identifier: GPL-2.0

//! The binds that the next job of a VM waits for.
//!
//! They are not among the fences of [`Usage::Kernel`] of the VM's reservation: private BOs share it,
//! and a page fault of one of them would wait for moves of all others that are being bound.
//!
//! [`Usage::Kernel`]: crate::rust::dma_resv::Usage::Kernel

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

use crate::rust::{
    alloc::LazyVec,
    dma_fence::Fence,
    drm::sched::{
        Job,
        UnarmedJob, //
    }, //
};

/// The fences of the binds of a VM that all later jobs wait for, the last one of each queue.
pub(crate) struct PendingBinds(KVVec<ARef<Fence>>);

impl PendingBinds {
    pub(super) const fn new() -> Self {
        Self(KVVec::new())
    }

    /// Forgets those that have signalled, and makes room for one more.
    pub(super) fn reserve(&mut self) -> Result {
        self.0.retain(|fence| !fence.is_signaled());
        Ok(self.0.reserve(1, GFP_KERNEL_ACCOUNT)?)
    }

    /// Adds a bind, for which there is room, in place of an earlier one of the same queue.
    pub(super) fn add(&mut self, fence: &Fence) {
        self.0.retain(|other| other.context() != fence.context());
        // There is room.
        let _ = self.0.push_within_capacity(fence.into());
    }

    /// Returns those that have not signalled.
    pub(super) fn unsignalled(&self) -> Result<LazyVec<ARef<Fence>>> {
        let mut fences = LazyVec::new();

        for fence in self.iter() {
            fences.push(fence.clone(), GFP_KERNEL_ACCOUNT)?;
        }
        Ok(fences)
    }

    /// Iterates over those that have not signalled.
    fn iter(&self) -> impl Iterator<Item = &ARef<Fence>> {
        self.0.iter().filter(|fence| !fence.is_signaled())
    }

    /// Has `job` wait for them.
    pub(super) fn add_to<J: Job>(&self, job: &mut UnarmedJob<'_, J>) -> Result {
        self.iter()
            .try_for_each(|fence| job.add_dependency(fence.clone()))
    }
}
