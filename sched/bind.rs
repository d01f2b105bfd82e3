// SPDX-License-Identifier: GPL-2.0

//! Binds: jobs that change page tables on the CPU.
//!
//! No call waits for what a bind waits for: moves of BOs, and fences of user space.

use kernel::{
    device::Device,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use crate::rust::{
    dma_fence::Fence,
    drm::sched::{
        self,
        Entity,
        Paused,
        Priority,
        Scheduler,
        UnarmedJob, //
    },
    module::DropGuarantee,
    pm::runtime::Awake, //
};

/// A bind takes one credit, until it has run.
const CREDITS: u32 = 16;

/// What a bind does.
pub(crate) trait PageTableUpdate: Send {
    /// Changes page tables.
    ///
    /// Called in the signalling path: it neither allocates nor waits for a reservation.
    fn run(self: KBox<Self>) -> Result;
}

/// The scheduler of the binds of all VMs.
pub(super) struct BindScheduler(Arc<Scheduler<BindJob>>);

/// The entity of a bind queue.
pub(crate) struct BindEntity(Entity<BindJob>);

/// A bind, whose end others wait for: it keeps the device awake until then.
pub(crate) struct BindJob {
    _awake: Awake,
}

impl sched::Job for BindJob {
    type Payload = KBox<dyn PageTableUpdate>;
    type Data = ();

    fn run(&self, (): &(), update: Self::Payload) -> Result<Option<ARef<Fence>>> {
        update.run()?;
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

    pub(super) fn pause(&self) -> Result<Paused<BindJob>> {
        self.0.pause()
    }
}

impl BindEntity {
    /// Makes a bind. `awake` is dropped when it has ended.
    pub(crate) fn job(
        &self,
        update: KBox<dyn PageTableUpdate>,
        awake: Awake,
    ) -> Result<UnarmedJob<'_, BindJob>> {
        self.0.job(1, 0, BindJob { _awake: awake }, update)
    }
}
