// SPDX-License-Identifier: GPL-2.0

//! Contexts: what jobs of a client belong together, in what order they run, and what becomes of
//! them.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    job::Job,
    queue::Queues,
    state::{
        State,
        Verdict, //
    },
    usage::Usage, //
};
use crate::rust::drm::sched::{
    Entity,
    Priority, //
};

/// A context.
pub(crate) struct Context {
    entities: KVec<Entity<Job>>,
    pub(super) state: Arc<State>,
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

    /// Its entity of an engine.
    pub(super) fn entity(&self, engine: u32) -> Option<&Entity<Job>> {
        self.entities.get(engine as usize)
    }
}
