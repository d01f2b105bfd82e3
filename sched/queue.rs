// SPDX-License-Identifier: GPL-2.0

//! The schedulers of a device.

use kernel::{
    device::Device,
    prelude::*,
    sync::Arc,
    time::Jiffies, //
};

use super::{
    bind::BindScheduler,
    dump::{
        Dumper,
        DumperGuard, //
    },
    job::{
        Hardware,
        Job, //
    },
    kernel::KernelQueue, //
};
use crate::{
    hw::{
        abi::class,
        Engine,
        Gpu,
        Resetter,
        VramGeneration,
        CREDITS, //
    },
    rust::drm::sched::Scheduler, //
};

/// What an engine's jobs go through.
pub(crate) struct Queue {
    pub(super) engine: Arc<Engine>,
    pub(super) scheduler: Arc<Scheduler<Job>>,
    pub(super) kernel: KernelQueue,
}

impl Queue {
    /// The engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// All of them.
pub(crate) struct Queues {
    queues: KVec<Queue>,
    pub(super) bind: BindScheduler,
    pub(super) resetter: Arc<Resetter>,
    pub(super) vram: VramGeneration,
    _dumper: DumperGuard,
}

impl Queues {
    /// Makes the schedulers of a GPU. A job that is at an engine for longer than `timeout` hangs.
    pub(crate) fn new(dev: &Device, gpu: &Gpu, timeout: Jiffies) -> Result<Self> {
        let dumper = DumperGuard(Dumper::new(dev)?);
        let mut queues = KVec::with_capacity(gpu.engines().len(), GFP_KERNEL)?;
        for engine in gpu.engines() {
            let hardware = Hardware {
                engine: engine.clone(),
                resetter: gpu.resetter().clone(),
                dumper: dumper.0.clone(),
            };
            let scheduler = Scheduler::new(engine.name(), dev, hardware, CREDITS, Some(timeout))?;
            queues.push(
                Queue {
                    engine: engine.clone(),
                    kernel: KernelQueue::new(&scheduler)?,
                    scheduler,
                },
                GFP_KERNEL,
            )?;
        }
        Ok(Self {
            queues,
            bind: BindScheduler::new(dev)?,
            resetter: gpu.resetter().clone(),
            vram: gpu.vram_generation().clone(),
            _dumper: dumper,
        })
    }

    /// All.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Queue> {
        self.queues.iter()
    }

    /// That of the engine to copy with: the one of that class that has the fewest jobs of the
    /// kernel, or else the first of all.
    pub(crate) fn copy(&self) -> &Queue {
        self.iter()
            .filter(|queue| queue.engine.class() == class::COPY)
            .min_by_key(|queue| queue.kernel.load())
            // PANIC: A GPU without engines is no GPU for `hw`.
            .unwrap_or(&self.queues[0])
    }
}
