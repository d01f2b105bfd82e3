// SPDX-License-Identifier: GPL-2.0

//! Binds: jobs that write the page-table entries of BOs that are moving.
//!
//! The entries are written on the CPU when the moves are done. CS does not wait for that: it queues
//! a bind, which the job that needs the entries depends on.

use kernel::{
    device::Device,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use crate::{
    fence::Dependencies,
    hw::DeferredMaps,
    rust::{
        dma_fence::Fence,
        drm::sched::{
            self,
            Entity,
            Priority,
            Scheduler,
            UnarmedJob, //
        },
        module::DropGuarantee, //
    }, //
};

/// A bind takes one credit, until it has run.
const CREDITS: u32 = 16;

/// The scheduler of the binds of all VMs.
pub(super) struct BindScheduler(Arc<Scheduler<BindJob>>);

/// The entity of a VM's binds.
pub(crate) struct BindEntity(Entity<BindJob>);

/// A bind.
pub(crate) struct BindJob;

impl sched::Job for BindJob {
    type Payload = DeferredMaps;
    type Data = ();

    fn run(&self, (): &(), mut maps: DeferredMaps) -> Result<Option<ARef<Fence>>> {
        maps.run()?;
        Ok(None)
    }

    fn is_hung(&self, (): &()) -> bool {
        false
    }

    fn reset(&self, (): &()) {}
}

impl BindScheduler {
    pub(super) fn new(guarantee: DropGuarantee, dev: &Device) -> Result<Self> {
        let scheduler = Scheduler::new(guarantee, c"bind", dev, (), CREDITS, None)?;
        Ok(Self(scheduler))
    }

    pub(super) fn entity(&self) -> Result<BindEntity> {
        Ok(BindEntity(Entity::new(&self.0, Priority::Normal)?))
    }
}

impl BindEntity {
    /// Makes a bind that writes `maps` after `moves`.
    pub(crate) fn job(
        &self,
        maps: DeferredMaps,
        moves: &Dependencies,
    ) -> Result<UnarmedJob<'_, BindJob>> {
        let mut job = self.0.job(1, 0, BindJob, maps)?;
        moves.add_to(&mut job)?;
        Ok(job)
    }
}
