// SPDX-License-Identifier: GPL-2.0

//! Unmaps: jobs that remove the page-table entries of BOs that are about to move.
//!
//! The entries go on the CPU when the last job has ended that may use them, and before the copy
//! begins. At its end it would be too late: the scheduler gives the next copy to the same engine
//! without waiting for that, and the next copy fills the memory that this one has left.

use kernel::{
    device::Device,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::bind::PageTableUpdate;
use crate::{
    fence::Dependencies,
    rust::{
        dma_fence::Fence,
        drm::sched::{
            self,
            Entity,
            Priority,
            Scheduler, //
        },
        module::DropGuarantee, //
    }, //
};

/// Jobs of the kernel have no client.
const NO_CLIENT: u64 = 0;

/// An unmap takes one credit, until it has run.
const CREDITS: u32 = 16;

/// The scheduler of all unmaps.
pub(super) struct UnmapScheduler(Arc<Scheduler<UnmapJob>>);

/// A queue of unmaps.
pub(super) struct UnmapEntity(Entity<UnmapJob>);

/// An unmap.
struct UnmapJob(());

impl sched::Job for UnmapJob {
    type Payload = KBox<dyn PageTableUpdate>;
    type Data = ();

    fn run(&self, (): &(), unmap: Self::Payload) -> Result<Option<ARef<Fence>>> {
        unmap.run()?;
        Ok(None)
    }

    fn is_hung(&self, (): &()) -> bool {
        false
    }

    fn reset(&self, (): &()) {}
}

impl UnmapScheduler {
    pub(super) fn new(guarantee: DropGuarantee, dev: &Device) -> Result<Self> {
        let scheduler = Scheduler::new(guarantee, c"unmap", dev, (), CREDITS, None)?;
        Ok(Self(scheduler))
    }

    pub(super) fn entity(&self) -> Result<UnmapEntity> {
        Ok(UnmapEntity(Entity::new(&self.0, Priority::Kernel)?))
    }
}

impl UnmapEntity {
    /// See [`Queue::submit_unmap`](super::Queue::submit_unmap).
    pub(super) fn submit(
        &self,
        unmap: KBox<dyn PageTableUpdate>,
        users: &Dependencies,
        publish: impl FnOnce(&Fence),
    ) -> Result {
        let mut job = self.0.job(1, NO_CLIENT, UnmapJob(()), unmap)?;

        users.add_to(&mut job)?;
        job.submit(publish);
        Ok(())
    }
}
