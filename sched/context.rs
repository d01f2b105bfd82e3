// SPDX-License-Identifier: GPL-2.0

//! Contexts: jobs of a client that run in order on each engine, and share a status.

use kernel::{
    prelude::*,
    sync::{
        atomic::AtomicFlag,
        Arc, //
    }, //
};

use super::{
    job::{
        EngineJob,
        Owner,
        Payload, //
    },
    queue::Queues,
    status::{
        ContextCallback,
        ContextState,
        ResetStats, //
    },
    usage::Usage, //
};
use crate::{
    hw::{
        Commands,
        Engine, //
    },
    rust::drm::sched::{
        Entity,
        Priority,
        UnarmedJob, //
    }, //
};

/// A context.
pub(crate) struct Context {
    /// One entity per engine.
    entities: KVec<Entity<EngineJob>>,
    state: Arc<ContextState>,
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
        queues: &Queues,
        priority: Priority,
        state: Arc<ContextState>,
    ) -> Result<Arc<Self>> {
        let mut entities = KVec::new();
        for queue in queues.iter() {
            entities.push(Entity::new(&queue.scheduler, priority)?, GFP_KERNEL)?;
        }
        Ok(Arc::new(Self { entities, state }, GFP_KERNEL)?)
    }

    /// Returns the resets of the context's lifetime, and its status after them.
    pub(crate) fn reset_stats(&self) -> ResetStats {
        self.state.reset_stats()
    }

    /// Iterates over the numbers of jobs that wait for each engine.
    pub(crate) fn queued(&self) -> impl Iterator<Item = u32> + '_ {
        self.entities.iter().map(Entity::queued)
    }

    /// Checks whether the context takes jobs: `ECANCELED` or `ENODEV` if not.
    pub(crate) fn check(&self) -> Result {
        self.state.check()
    }

    /// Notes that a job uses VRAM.
    pub(crate) fn uses_vram(&self) {
        self.state.uses_vram();
    }

    /// Makes a job of the context for an engine, on behalf of a client.
    ///
    /// It fails if one of the flags `lost` is set when its dependencies have signalled.
    pub(crate) fn job(
        &self,
        engine: &Engine,
        client: u64,
        commands: Commands,
        lost: KVVec<Arc<AtomicFlag>>,
    ) -> Result<UnarmedJob<'_, EngineJob>> {
        let entity = self.entities.get(engine.index() as usize).ok_or(EINVAL)?;
        let credits = commands.credits();
        let job = EngineJob::new(Owner::Context(self.state.clone()), &commands);
        let payload = Payload {
            commands,
            fence: engine.new_fence()?,
            completion: ContextCallback::completion(&self.state, engine.index())?,
            lost,
        };

        entity.job(credits, client, job, payload)
    }
}
