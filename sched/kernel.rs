// SPDX-License-Identifier: GPL-2.0

//! Jobs of the kernel: moves and clears.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::{
    job::{
        Job,
        Owner,
        Work, //
    },
    queue::Queue, //
};
use crate::{
    fence::Completion,
    hw::Commands,
    rust::{
        dma_fence::Fence,
        dma_resv::{
            LockedResv,
            Usage, //
        },
        drm::sched::{
            Entity,
            Priority,
            Scheduler, //
        }, //
    }, //
};

/// Jobs of the kernel have no client.
const NO_CLIENT: u64 = 0;

/// What a job of the kernel waits for.
pub(crate) struct Dependencies(KVVec<ARef<Fence>>);

impl Dependencies {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self(KVVec::new())
    }

    /// Adds all fences of a usage, and of the more important ones, of a reservation.
    pub(crate) fn add(&mut self, resv: &LockedResv<'_>, usage: Usage) -> Result {
        resv.for_each_fence(usage, |fence| {
            if !fence.is_signaled() {
                self.0.push(fence.into(), GFP_KERNEL)?;
            }
            Ok(())
        })
    }
}

/// Where jobs of the kernel come before those of clients.
pub(super) struct KernelQueue {
    entity: Entity<Job>,
    /// How many jobs there are.
    jobs: Arc<Atomic<usize>>,
}

/// Counts as a job for as long as it exists.
pub(super) struct Load(Arc<Atomic<usize>>);

impl KernelQueue {
    pub(super) fn new(scheduler: &Arc<Scheduler<Job>>) -> Result<Self> {
        Ok(Self {
            entity: Entity::new(scheduler, Priority::Kernel)?,
            jobs: Arc::new(Atomic::new(0), GFP_KERNEL)?,
        })
    }

    /// Number of jobs that are not done yet.
    pub(super) fn load(&self) -> usize {
        self.jobs.load(Relaxed)
    }

    fn add_load(&self) -> Load {
        self.jobs.fetch_add(1, Relaxed);
        Load(self.jobs.clone())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Queue {
    /// Submits a job of the kernel, which runs after `dependencies` and after those that were
    /// submitted to this queue before. Returns its fence. `completion` is called before that
    /// signals.
    ///
    /// # Errors
    ///
    /// In all cases nothing was submitted, and the completion callback was not called.
    ///
    /// - [`ENODEV`]: the device is gone.
    /// - [`ENOMEM`]
    pub(crate) fn submit_kernel(
        &self,
        commands: Commands,
        dependencies: &Dependencies,
        completion: Completion,
    ) -> Result<ARef<Fence>> {
        if self.engine.is_dead() {
            return Err(ENODEV);
        }
        let credits = commands.credits();
        let work = Work {
            commands,
            fence: self.engine.new_fence()?,
            completion,
            lost: KVVec::new(),
        };
        let owner = Owner::Kernel {
            _load: self.kernel.add_load(),
        };
        let mut job = self
            .kernel
            .entity
            .job(credits, NO_CLIENT, Job::new(owner), work)?;
        for fence in &dependencies.0 {
            job.add_dependency(fence.clone())?;
        }
        Ok(job.submit(|_| ()))
    }
}
