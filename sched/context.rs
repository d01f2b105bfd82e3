// SPDX-License-Identifier: GPL-2.0

//! Contexts: what jobs of a client belong together, in what order they run, and what becomes of
//! them.

use kernel::{
    prelude::*,
    sync::{
        atomic::AtomicFlag,
        Arc, //
    }, //
};

use super::{
    job::{
        Job,
        Owner,
        Work, //
    },
    queue::Queues,
    state::{
        State,
        Verdict,
        Verdicts, //
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
    entities: KVec<Entity<Job>>,
    state: Arc<State>,
}

impl Context {
    /// Makes a context. What its jobs take of the engines is added to `usage`.
    pub(crate) fn new(
        queues: &Queues,
        priority: Priority,
        usage: &Arc<Usage>,
    ) -> Result<Arc<Self>> {
        let state = State::new(true, &queues.vram, &queues.resetter, usage)?;
        Self::with_state(queues, priority, state)
    }

    /// Makes what jobs belong to that have no context: each stands for itself, whatever becomes of
    /// the others.
    pub(crate) fn none(queues: &Queues, usage: &Arc<Usage>) -> Result<Arc<Self>> {
        let state = State::new(false, &queues.vram, &queues.resetter, usage)?;
        Self::with_state(queues, Priority::Normal, state)
    }

    fn with_state(queues: &Queues, priority: Priority, state: Arc<State>) -> Result<Arc<Self>> {
        let mut entities = KVec::new();
        for queue in queues.iter() {
            entities.push(Entity::new(&queue.scheduler, priority)?, GFP_KERNEL)?;
        }
        Ok(Arc::new(Self { entities, state }, GFP_KERNEL)?)
    }

    /// What has become of it.
    pub(crate) fn verdict(&self) -> Verdict {
        self.state.verdict()
    }

    /// How many jobs wait for each engine.
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
    ) -> Result<UnarmedJob<'_, Job>> {
        let entity = self.entities.get(engine.index() as usize).ok_or(EINVAL)?;
        let credits = commands.credits();
        let work = Work {
            commands,
            fence: engine.new_fence()?,
            completion: Verdicts::completion(&self.state, engine.index())?,
            lost,
        };

        entity.job(
            credits,
            client,
            Job::new(Owner::Context(self.state.clone())),
            work,
        )
    }
}
