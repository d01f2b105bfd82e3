// SPDX-License-Identifier: GPL-2.0

//! The schedulers of a device.

use kernel::{
    device::Device,
    dma::DmaAddress,
    io::poll::read_poll_timeout,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    },
    time::{
        Delta,
        Jiffies, //
    }, //
};

use super::{
    bind::{
        BindEntity,
        BindJob,
        BindScheduler,
        PageTableUpdate, //
    },
    coredump::{
        Coredump,
        CoredumpGuard, //
    },
    job::{
        EngineJob,
        Hardware, //
    },
    kernel::KernelEntity,
    turn::Arbiter,
    unmap::{
        UnmapEntity,
        UnmapScheduler, //
    },
    window::{
        Window,
        Windows, //
    }, //
};
use crate::{
    fence::{
        Completion,
        Dependencies, //
    },
    hw::{
        abi::class,
        Commands,
        Engine,
        Gpu,
        Resetter,
        VramGeneration,
        CREDITS, //
    },
    rust::{
        dma_fence::Fence,
        drm::sched::{
            Paused,
            Scheduler, //
        },
        module::DropGuarantee,
        pm::runtime::Power, //
    }, //
};

/// Interval at which engines are looked at until they are idle.
const POLL_INTERVAL: Delta = Delta::from_millis(1);
/// Time that engines have until they are idle: several jobs that time out.
const PATIENCE: Delta = Delta::from_secs(60);

/// An engine and its scheduler.
pub(crate) struct Queue {
    engine: Arc<Engine>,
    pub(super) scheduler: Arc<Scheduler<EngineJob>>,
    /// Gives the clients' jobs their turns.
    pub(super) arbiter: Arc<Arbiter>,
    kernel: KernelEntity,
    /// Unmaps for its moves, which wait for no other engine's.
    unmaps: UnmapEntity,
    windows: Arc<Windows>,
}

impl Queue {
    /// Returns the engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Makes a window that shows `pages`, at most [`WINDOW_PAGES`](super::WINDOW_PAGES), to one job
    /// of the kernel on this queue.
    pub(crate) fn window(&self, gpu: &Gpu, pages: &[DmaAddress]) -> Result<Window> {
        self.windows.window(gpu, pages)
    }

    /// Submits a job of the kernel, which runs after `dependencies` and after the jobs that were
    /// submitted to this queue before. Returns its fence. `completion` is called before that
    /// signals. `window` is the one of this queue that the commands use, if they do.
    ///
    /// # Errors
    ///
    /// In all cases nothing was submitted, and the completion callback was not called.
    ///
    /// - [`ENODEV`]: the device is gone.
    /// - [`EBUSY`]: nobody keeps the device awake, see [`Power::hold()`].
    /// - [`ENOMEM`]
    pub(crate) fn submit_kernel(
        &self,
        commands: Commands,
        window: Option<Window>,
        dependencies: &Dependencies,
        completion: Completion,
    ) -> Result<ARef<Fence>> {
        self.kernel
            .submit(&self.engine, commands, window, dependencies, completion)
    }

    /// Submits a job that takes a BO out of page tables once all `users` of it have ended. `publish`
    /// gets its fence, for the moves of this queue that are to follow.
    pub(crate) fn submit_unmap(
        &self,
        unmap: KBox<dyn PageTableUpdate>,
        users: &Dependencies,
        publish: impl FnOnce(&Fence),
    ) -> Result {
        self.unmaps.submit(unmap, users, publish)
    }
}

/// All queues of a device: one per engine, and the schedulers of binds and unmaps.
pub(crate) struct Queues {
    queues: KVec<Queue>,
    bind: BindScheduler,
    pub(super) resetter: Arc<Resetter>,
    pub(super) vram: VramGeneration,
    dev: ARef<Device>,
    /// Those of a device that sleeps.
    pauses: Pin<KBox<Mutex<Option<Pauses>>>>,
    _coredump: CoredumpGuard,
}

/// The pauses of the schedulers while a device sleeps. Jobs that are submitted meanwhile have no time
/// that runs.
struct Pauses {
    _engines: KVec<Paused<EngineJob>>,
    _binds: Paused<BindJob>,
}

impl Queues {
    /// Makes the schedulers of a GPU. A job that runs for longer than `timeout` hangs.
    pub(crate) fn new(
        guarantee: DropGuarantee,
        dev: &Device,
        gpu: &Gpu,
        power: &Arc<Power>,
        timeout: Jiffies,
    ) -> Result<Self> {
        let coredump = CoredumpGuard(Coredump::new(dev)?);
        let unmaps = UnmapScheduler::new(guarantee, dev)?;
        let mut queues = KVec::with_capacity(gpu.engines().len(), GFP_KERNEL)?;
        for engine in gpu.engines() {
            let hardware = Hardware {
                engine: engine.clone(),
                resetter: gpu.resetter().clone(),
                coredump: coredump.0.clone(),
            };
            let name = engine.name();
            let scheduler = Scheduler::new(guarantee, name, dev, hardware, CREDITS, Some(timeout))?;
            queues.push(
                Queue {
                    engine: engine.clone(),
                    kernel: KernelEntity::new(&scheduler, power)?,
                    unmaps: unmaps.entity()?,
                    arbiter: Arbiter::new()?,
                    windows: Windows::new(engine)?,
                    scheduler,
                },
                GFP_KERNEL,
            )?;
        }
        Ok(Self {
            queues,
            bind: BindScheduler::new(guarantee, dev)?,
            resetter: gpu.resetter().clone(),
            vram: gpu.vram_generation().clone(),
            dev: dev.into(),
            pauses: KBox::pin_init(new_mutex!(None, "Queues::pauses"), GFP_KERNEL)?,
            _coredump: coredump,
        })
    }

    /// Returns engine `n`.
    pub(crate) fn engine(&self, n: u32) -> Option<&Arc<Engine>> {
        self.queues.get(n as usize).map(|queue| &queue.engine)
    }

    /// Iterates over the engines' queues.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Queue> {
        self.queues.iter()
    }

    /// Returns the queue for a copy: of the copy engines that with the fewest jobs of the kernel,
    /// or else the first engine.
    pub(crate) fn copy(&self) -> &Queue {
        self.iter()
            .filter(|queue| queue.engine.class() == class::COPY)
            .min_by_key(|queue| queue.kernel.load())
            // PANIC: A GPU without engines is no GPU for `hw`.
            .unwrap_or(&self.queues[0])
    }

    /// Prepares the device for sleep, once the engines have done what they have: no job runs, and no
    /// bind, until [`Self::wake`].
    ///
    /// `EBUSY` if they do not get it done.
    pub(crate) fn sleep(&self) -> Result {
        let mut engines = KVec::with_capacity(self.queues.len(), GFP_KERNEL)?;
        for queue in &self.queues {
            engines.push(queue.scheduler.pause()?, GFP_KERNEL)?;
        }
        let pauses = Pauses {
            _engines: engines,
            _binds: self.bind.pause()?,
        };
        let busy = || self.iter().find(|queue| queue.engine.jobs().1 != 0);
        let idle = read_poll_timeout(
            || Ok(busy().is_none()),
            |idle| *idle,
            POLL_INTERVAL,
            PATIENCE, //
        );
        if idle.is_err() {
            let index = busy().map_or(0, |queue| queue.engine.index());
            dev_err!(self.dev, "no sleep: engine {} stays busy\n", index);
            return Err(EBUSY);
        }
        self.resetter.sleep()?;
        *self.pauses.lock() = Some(pauses);
        Ok(())
    }

    /// Prepares a device that nobody keeps awake, so that there is no job and none comes, for sleep
    /// until [`Self::wake`].
    ///
    /// `EBUSY` if there is a job all the same, or the bus resets the device.
    pub(crate) fn sleep_unused(&self) -> Result {
        self.resetter.sleep()
    }

    /// Uses the device again after its sleep, in which nothing was in its memory.
    pub(crate) fn wake(&self) {
        let pauses = self.pauses.lock().take();

        self.resetter.wake();
        drop(pauses);
    }

    /// Gives up a device that sleeps, or is being reset by the bus, as it may not be there any more: its
    /// jobs end.
    pub(crate) fn abandon(&self) {
        let pauses = self.pauses.lock().take();

        self.resetter.abandon();
        drop(pauses);
    }

    /// Makes the entity of a VM's binds.
    pub(crate) fn bind_entity(&self) -> Result<BindEntity> {
        self.bind.entity()
    }
}
