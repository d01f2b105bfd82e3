// SPDX-License-Identifier: GPL-2.0

//! Jobs of the kernel: moves and clears.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::{
    job::{
        EngineJob,
        Owner,
        Payload, //
    },
    load::Load,
    window::Window, //
};
use crate::{
    fence::{
        Completion,
        Dependencies, //
    },
    hw::{
        Commands,
        Engine, //
    },
    rust::{
        alloc::LazyVec,
        dma_fence::Fence,
        drm::sched::{
            Entity,
            Priority,
            Scheduler, //
        },
        pm::runtime::Power, //
    }, //
};

/// Jobs of the kernel have no client.
const NO_CLIENT: u64 = 0;

/// The entity of the kernel's jobs on an engine, which come before those of clients.
pub(super) struct KernelEntity {
    entity: Entity<EngineJob>,
    load: Load,
    power: Arc<Power>,
}

impl KernelEntity {
    pub(super) fn new(scheduler: &Arc<Scheduler<EngineJob>>, power: &Arc<Power>) -> Result<Self> {
        Ok(Self {
            entity: Entity::new(scheduler, Priority::Kernel)?,
            load: Load::new()?,
            power: power.clone(),
        })
    }

    /// Returns the number of jobs that are queued or running.
    pub(super) fn load(&self) -> usize {
        self.load.get()
    }

    /// See [`Queue::submit_kernel`](super::Queue::submit_kernel).
    pub(super) fn submit(
        &self,
        engine: &Engine,
        commands: Commands,
        window: Option<Window>,
        dependencies: &Dependencies,
        completion: Completion,
    ) -> Result<ARef<Fence>> {
        if engine.is_dead() {
            return Err(ENODEV);
        }
        let credits = commands.credits();
        let owner = Owner::Kernel {
            _load: self.load.add(),
        };
        let job = EngineJob::new(owner, &commands, self.power.hold()?);
        let payload = Payload {
            commands,
            fence: engine.new_fence()?,
            completion,
            lost: LazyVec::new(),
            window,
        };
        let mut job = self.entity.job(credits, NO_CLIENT, job, payload)?;
        dependencies.add_to(&mut job)?;
        // Whether the content of a BO is lost is known at the end.
        job.dont_pipeline();
        Ok(job.submit(|_| ()))
    }
}
