// SPDX-License-Identifier: GPL-2.0

//! Contexts: jobs of a client that run in order on each engine, and share a status.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::{
    job::{
        EngineJob,
        Owner,
        Payload, //
    },
    load::{
        Load,
        LoadGuard, //
    },
    queue::{
        Queue,
        Queues, //
    },
    status::{
        ContextCallback,
        ContextState,
        ResetStats, //
    },
    turn::{
        Arbiter,
        Turn, //
    },
    usage::Usage, //
};
use crate::{
    fence::Timeline,
    hw::{
        Commands,
        Engine, //
    },
    rust::{
        alloc::LazyVec,
        drm::sched::{
            Entity,
            Priority,
            UnarmedJob, //
        },
        pm::runtime::Awake, //
    }, //
};

/// The most jobs of a context that are queued or running on an engine.
const MAX_JOBS: usize = 1000;

/// A context.
pub(crate) struct Context {
    /// One queue per engine.
    queues: KVec<ContextQueue>,
    /// The priority of further jobs.
    priority: Atomic<Priority>,
    state: Arc<ContextState>,
}

/// A context's jobs for an engine.
struct ContextQueue {
    entity: Entity<EngineJob>,
    arbiter: Arc<Arbiter>,
    /// The order of the turns of its jobs.
    turns: Timeline,
    jobs: Load,
}

impl ContextQueue {
    fn new(queue: &Queue, priority: Priority) -> Result<Self> {
        Ok(Self {
            entity: Entity::new(&queue.scheduler, priority)?,
            arbiter: queue.arbiter.clone(),
            turns: Timeline::new(queue.engine().name())?,
            jobs: Load::new()?,
        })
    }
}

/// The place of a job among those of its context and engine, for as long as the job exists.
pub(crate) struct JobPlace<'a> {
    queue: &'a ContextQueue,
    guard: LoadGuard,
}

impl Context {
    /// Creates a context. The device time of its jobs is added to `usage`.
    pub(crate) fn new(
        queues: &Queues,
        priority: Priority,
        usage: &Arc<Usage>,
    ) -> Result<Arc<Self>> {
        let state = ContextState::new(true, &queues.vram, &queues.resetter, usage)?;
        Self::with_state(queues, priority, state)
    }

    /// Creates a client's default context, number 0. Its jobs are independent: none is cancelled
    /// for an error of another.
    pub(crate) fn new_default(queues: &Queues, usage: &Arc<Usage>) -> Result<Arc<Self>> {
        let state = ContextState::new(false, &queues.vram, &queues.resetter, usage)?;
        Self::with_state(queues, Priority::Normal, state)
    }

    fn with_state(
        engines: &Queues,
        priority: Priority,
        state: Arc<ContextState>,
    ) -> Result<Arc<Self>> {
        let mut queues = KVec::new();
        for queue in engines.iter() {
            queues.push(ContextQueue::new(queue, priority)?, GFP_KERNEL)?;
        }
        Ok(Arc::new(
            Self {
                queues,
                priority: Atomic::new(priority),
                state,
            },
            GFP_KERNEL,
        )?)
    }

    /// Sets the priority of the jobs that are submitted from now on.
    pub(crate) fn set_priority(&self, priority: Priority) {
        self.priority.store(priority, Relaxed);
        // Whose jobs ask for their turns first.
        for queue in self.queues.iter() {
            queue.entity.set_priority(priority);
        }
    }

    /// Has a process that exits wait for the jobs of a client's contexts no longer than for those
    /// of one, to be called before they are dropped.
    pub(crate) fn flush_at_exit<'a>(contexts: impl Iterator<Item = &'a Self> + Clone) {
        Entity::flush_at_exit(contexts.flat_map(|it| it.queues.iter().map(|queue| &queue.entity)));
    }

    /// Returns the resets of the context's lifetime, and its status after them.
    pub(crate) fn reset_stats(&self) -> ResetStats {
        self.state.reset_stats()
    }

    /// Iterates over the numbers of jobs that wait for each engine.
    pub(crate) fn queued(&self) -> impl Iterator<Item = u32> + '_ {
        self.queues.iter().map(|queue| queue.entity.queued())
    }

    /// Checks whether the context takes jobs: `ECANCELED` or `ENODEV` if not.
    pub(crate) fn check(&self) -> Result {
        self.state.check()
    }

    /// Notes that a job uses VRAM.
    pub(crate) fn uses_vram(&self) {
        self.state.uses_vram();
    }

    /// Returns the place of one more job. `EAGAIN` when the context has as many for the engine as
    /// it may.
    pub(crate) fn place(&self, engine: &Engine) -> Result<JobPlace<'_>> {
        let queue = self.queues.get(engine.index() as usize).ok_or(EINVAL)?;
        let guard = queue.jobs.try_add(MAX_JOBS).ok_or(EAGAIN)?;

        Ok(JobPlace { queue, guard })
    }

    /// Makes a job of the context for an engine, on behalf of a client.
    ///
    /// It fails if one of the flags `lost` is set when its dependencies have signalled. `awake` is
    /// dropped when it has ended.
    pub(crate) fn job<'a>(
        &self,
        place: JobPlace<'a>,
        engine: &Engine,
        client: u64,
        commands: Commands,
        lost: LazyVec<Arc<AtomicFlag>>,
        awake: Awake,
    ) -> Result<UnarmedJob<'a, EngineJob>> {
        let JobPlace { queue, guard } = place;
        let credits = commands.credits();
        let turn = Turn::new(&queue.arbiter, self.priority.load(Relaxed), &queue.turns)?;
        let owner = Owner::Context {
            state: self.state.clone(),
            _job: guard,
        };
        let job = EngineJob::new(owner, &commands, awake.into());
        let payload = Payload {
            commands,
            fence: engine.new_fence()?,
            completion: ContextCallback::completion(&self.state, engine.index(), turn)?,
            lost,
            window: None,
        };

        queue.entity.job(credits, client, job, payload)
    }
}
