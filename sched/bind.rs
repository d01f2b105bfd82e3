// SPDX-License-Identifier: GPL-2.0

//! Page-table entries of BOs that are still on their way.
//!
//! A job that needs them must not be held up in its ioctl until the BOs have arrived, so they are
//! written by a job of their own that comes before it.

use kernel::{
    device::Device,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::queue::Queues;
use crate::{
    hw::DeferredMaps,
    rust::{
        dma_fence::Fence,
        drm::sched::{
            self,
            Entity,
            Priority,
            Scheduler,
            UnarmedJob, //
        }, //
    }, //
};

/// Each takes one, and none is pending on anything once it has run.
const CREDITS: u32 = 16;

/// The scheduler of all VMs.
pub(super) struct BindScheduler(Arc<Scheduler<BindJob>>);

/// Where the jobs of a VM wait.
pub(crate) struct BindQueue(Entity<BindJob>);

/// A job that writes page-table entries.
pub(crate) struct BindJob;

impl sched::Job for BindJob {
    type Work = DeferredMaps;
    type Data = ();

    fn run(&self, (): &(), maps: DeferredMaps) -> Result<Option<ARef<Fence>>> {
        maps.run()?;
        Ok(None)
    }

    fn is_hung(&self, (): &()) -> bool {
        false
    }

    fn reset(&self, (): &()) {}
}

impl BindScheduler {
    pub(super) fn new(dev: &Device) -> Result<Self> {
        Ok(Self(Scheduler::new(c"bind", dev, (), CREDITS, None)?))
    }
}

impl BindQueue {
    /// Makes a VM's queue.
    pub(crate) fn new(queues: &Queues) -> Result<Self> {
        Ok(Self(Entity::new(&queues.bind.0, Priority::Normal)?))
    }

    /// Makes a job that writes `maps` after `moves`.
    pub(crate) fn job(
        &self,
        maps: DeferredMaps,
        moves: KVVec<ARef<Fence>>,
    ) -> Result<UnarmedJob<'_, BindJob>> {
        let mut job = self.0.job(1, 0, BindJob, maps)?;
        for fence in moves {
            job.add_dependency(fence)?;
        }
        Ok(job)
    }
}
