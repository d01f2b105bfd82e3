// SPDX-License-Identifier: GPL-2.0

//! Jobs as the schedulers of the engines see them.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    }, //
};

use super::{
    dump::Dumper,
    kernel::Load,
    state::State, //
};
use crate::{
    fence::Completion,
    hw::{
        Commands,
        Engine,
        Resetter, //
    },
    rust::{
        dma_fence::{
            Fence,
            UnpublishedFence, //
        },
        drm::sched, //
    }, //
};

/// What the scheduler of an engine works with.
pub(crate) struct Hardware {
    pub(super) engine: Arc<Engine>,
    pub(super) resetter: Arc<Resetter>,
    pub(super) dumper: Arc<Dumper>,
}

/// Whose a job is.
pub(super) enum Owner {
    /// The kernel's.
    Kernel { _load: Load },
    /// A context's, of which this is what has become of it.
    Context(Arc<State>),
}

/// A job of an engine.
pub(crate) struct Job {
    owner: Owner,
    /// The engine's fence, once it has the job.
    fence: SetOnce<ARef<Fence>>,
}

/// What a job is about.
pub(crate) struct Work {
    pub(super) commands: Commands,
    pub(super) fence: UnpublishedFence,
    pub(super) completion: Completion,
    /// Set, when its dependencies are done, if the content was lost of BOs that were moving when it
    /// was submitted.
    pub(super) lost: KVVec<Arc<AtomicFlag>>,
}

impl Job {
    pub(super) fn new(owner: Owner) -> Self {
        Self {
            owner,
            fence: SetOnce::new(),
        }
    }
}

impl sched::Job for Job {
    type Work = Work;
    type Data = Hardware;

    fn run(&self, hardware: &Hardware, work: Work) -> Result<Option<ARef<Fence>>> {
        if let Owner::Context(state) = &self.owner {
            state.check()?;
        }
        if work.lost.iter().any(|lost| lost.load(Relaxed)) {
            return Err(EIO);
        }
        let fence = hardware
            .engine
            .submit(&work.commands, work.fence, work.completion)?;
        self.fence.populate(fence.clone());
        Ok(Some(fence))
    }

    fn is_hung(&self, hardware: &Hardware) -> bool {
        // An interrupt may have been lost.
        self.fence
            .as_ref()
            .is_some_and(|fence| hardware.engine.is_pending(fence))
    }

    fn reset(&self, hardware: &Hardware) {
        let Some(fence) = self.fence.as_ref() else {
            return;
        };
        if let Owner::Context(state) = &self.owner {
            state.hung();
        }
        hardware.dumper.take(hardware, fence);
        hardware.resetter.recover(&hardware.engine, fence);
    }
}
