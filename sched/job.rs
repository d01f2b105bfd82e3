// SPDX-License-Identifier: GPL-2.0

//! Jobs of the engines' schedulers.

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
    coredump::Coredump,
    load::LoadGuard,
    status::{
        Cause,
        ContextState, //
    },
    window::Window, //
};
use crate::{
    fence::Completion,
    hw::{
        Commands,
        Engine,
        Resetter,
        Space, //
    },
    rust::{
        alloc::LazyVec,
        dma_fence::{
            Fence,
            UnpublishedFence, //
        },
        drm::sched,
        pm::runtime::Held, //
    }, //
};

/// The hardware that the jobs of a scheduler run on.
pub(crate) struct Hardware {
    pub(super) engine: Arc<Engine>,
    pub(super) resetter: Arc<Resetter>,
    pub(super) coredump: Arc<Coredump>,
}

/// The owner of a job.
pub(super) enum Owner {
    /// The kernel.
    Kernel { _load: LoadGuard },
    /// A context, which may be destroyed by now.
    Context {
        state: Arc<ContextState>,
        _job: LoadGuard,
    },
}

/// A job of an engine.
pub(crate) struct EngineJob {
    owner: Owner,
    /// The address space that it runs in, kept until it has ended.
    _space: Option<Arc<Space>>,
    /// Keeps the device awake until the job has ended.
    _awake: Held,
    /// The fence of the engine's timeline, once the job was submitted to the engine.
    fence: SetOnce<ARef<Fence>>,
}

/// The payload of a job: all that submitting it to the engine takes.
pub(crate) struct Payload {
    pub(super) commands: Commands,
    pub(super) fence: UnpublishedFence,
    pub(super) completion: Completion,
    /// Flags of BOs that were moving when the job was queued. One is set, by the time that its
    /// dependencies have signalled, if the content of the BO was lost.
    pub(super) lost: LazyVec<Arc<AtomicFlag>>,
    /// The window that the commands use.
    pub(super) window: Option<Window>,
}

impl EngineJob {
    pub(super) fn new(owner: Owner, commands: &Commands, awake: Held) -> Self {
        Self {
            owner,
            _space: commands.space().cloned(),
            _awake: awake,
            fence: SetOnce::new(),
        }
    }
}

impl sched::Job for EngineJob {
    type Payload = Payload;
    type Data = Hardware;

    fn prepare(&self, _: &Hardware, payload: &mut Payload) -> Option<ARef<Fence>> {
        // A job that waits for its turn must not keep others from a slot.
        let turn = payload.completion.prepare();

        turn.or_else(|| payload.commands.prepare())
            .or_else(|| payload.window.as_ref()?.last_use())
    }

    fn run(&self, hardware: &Hardware, payload: Payload) -> Result<Option<ARef<Fence>>> {
        if let Owner::Context { state, .. } = &self.owner {
            state.check()?;
        }
        if payload.lost.iter().any(|lost| lost.load(Relaxed)) {
            return Err(EIO);
        }
        if let Some(window) = &payload.window {
            window.map()?;
        }
        let fence = hardware
            .engine
            .submit(&payload.commands, payload.fence, payload.completion)?;
        if let Some(window) = &payload.window {
            window.used_by(&fence);
        }
        self.fence.populate(fence.clone());
        Ok(Some(fence))
    }

    fn is_hung(&self, hardware: &Hardware) -> bool {
        // An interrupt may have been lost, or the device have been reset.
        self.fence
            .as_ref()
            .is_some_and(|fence| hardware.engine.is_hung(fence))
    }

    fn reset(&self, hardware: &Hardware) {
        let Some(fence) = self.fence.as_ref() else {
            return;
        };
        if let Owner::Context { state, .. } = &self.owner {
            state.ban(Cause::Hang);
        }
        hardware
            .coredump
            .capture(&hardware.engine, &hardware.resetter, fence);
        hardware.resetter.recover(&hardware.engine, fence);
    }
}
