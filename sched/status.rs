// SPDX-License-Identifier: GPL-2.0

//! Status of a context: whether it takes jobs, and who is to blame if it does not.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    }, //
};

use super::{
    turn::{
        Lengths,
        Turn, //
    },
    usage::Usage, //
};
use crate::{
    fence::{
        Completion,
        CompletionCallback,
        Fault,
        FaultReason,
        Outcome,
        Reset, //
    },
    hw::{
        abi::limits::MAX_ENGINES,
        Resetter,
        VramGeneration, //
    },
    rust::dma_fence::Fence, //
};

/// The cause of a ban: the context takes no more jobs.
#[derive(Clone, Copy)]
pub(crate) enum Cause {
    /// A job of the context timed out.
    Hang,
    /// A job of the context faulted.
    Fault(Fault),
    /// A job of the context read a page of VRAM that went bad.
    BadMemory(Fault),
    /// The content of VRAM that the context's jobs have used is lost.
    VramLost,
    /// The device does not answer any more.
    DeviceLost,
}

/// Status of a context, as GL_EXT_robustness has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ContextStatus {
    /// It takes jobs.
    Ok,
    /// It is banned because of a job of its own.
    Guilty,
    /// It is banned because of something else.
    Innocent,
}

impl Cause {
    /// Returns the cause of a job's fault.
    fn of_fault(fault: Fault) -> Self {
        match fault.reason {
            FaultReason::Poisoned => Self::BadMemory(fault),
            _ => Self::Fault(fault),
        }
    }

    /// Returns the status of a context that is banned for this cause.
    pub(crate) fn status(&self) -> ContextStatus {
        match self {
            Self::Hang | Self::Fault(_) => ContextStatus::Guilty,
            Self::BadMemory(_) | Self::VramLost | Self::DeviceLost => ContextStatus::Innocent,
        }
    }

    /// Returns the fault, if it was one.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) | Self::BadMemory(fault) => Some(fault),
            Self::Hang | Self::VramLost | Self::DeviceLost => None,
        }
    }
}

/// The resets of a context's lifetime, and the ban that one of them or an error led to.
#[derive(Clone, Copy)]
pub(crate) struct ResetStats {
    /// The cause of the ban, the first one if there were more.
    pub(crate) cause: Option<Cause>,
    /// Number of resets since the context was created.
    pub(crate) resets: u64,
}

impl ResetStats {
    /// Returns the status of the context.
    pub(crate) fn status(&self) -> ContextStatus {
        self.cause.as_ref().map_or(ContextStatus::Ok, Cause::status)
    }
}

/// The part of a context that its jobs share, and that may outlive it.
pub(super) struct ContextState {
    /// The cause of the ban, if there is one: the first.
    cause: SetOnce<Cause>,
    /// Whether an error of one job bans the context. Jobs of the default context are independent.
    ban_on_error: bool,
    /// The length of its jobs on each engine.
    lengths: [Lengths; MAX_ENGINES as usize],
    /// The generation of VRAM that jobs have used, 0 if none has.
    used: Atomic<u64>,
    vram: VramGeneration,
    resetter: Arc<Resetter>,
    resets_before: u64,
    usage: Arc<Usage>,
}

impl ContextState {
    pub(super) fn new(
        ban_on_error: bool,
        vram: &VramGeneration,
        resetter: &Arc<Resetter>,
        usage: &Arc<Usage>,
    ) -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                cause: SetOnce::new(),
                ban_on_error,
                lengths: [const { Lengths::new() }; MAX_ENGINES as usize],
                used: Atomic::new(0),
                vram: vram.clone(),
                resetter: resetter.clone(),
                resets_before: resetter.count(),
                usage: usage.clone(),
            },
            GFP_KERNEL,
        )?)
    }

    pub(super) fn reset_stats(&self) -> ResetStats {
        // A loss of VRAM is noticed here, or when a job is submitted.
        let _ = self.check();
        ResetStats {
            cause: self.cause.copy(),
            resets: self.resetter.count() - self.resets_before,
        }
    }

    /// Checks whether the context takes jobs: `ECANCELED` or `ENODEV` if not.
    pub(super) fn check(&self) -> Result {
        let found = if self.resetter.is_dead() {
            Some(Cause::DeviceLost)
        } else if self.has_lost_vram() {
            Some(Cause::VramLost)
        } else {
            None
        };
        let found = found.filter(|&cause| self.ban(cause));
        // An earlier one counts, unless another thread is just setting it.
        match self.cause.as_ref().or(found.as_ref()) {
            None => Ok(()),
            Some(Cause::DeviceLost) => Err(ENODEV),
            Some(_) => Err(ECANCELED),
        }
    }

    /// Notes that a job uses VRAM.
    pub(super) fn uses_vram(&self) {
        let now = self.vram.get();
        if !self.ban_on_error {
            self.used.store(now, Relaxed);
        } else {
            // An older generation stays: its content was lost.
            let _ = self.used.cmpxchg(0, now, Relaxed);
        }
    }

    fn has_lost_vram(&self) -> bool {
        let used = self.used.load(Relaxed);
        used != 0 && used != self.vram.get()
    }

    /// Bans the context, unless it is banned already. The default context is only banned for the
    /// loss of the device. Returns whether it is banned.
    pub(super) fn ban(&self, cause: Cause) -> bool {
        let bans = self.ban_on_error || matches!(cause, Cause::DeviceLost);
        if bans {
            self.cause.populate(cause);
        }
        bans
    }
}

/// The callback of a context's job: it has the job wait for its turn, accounts the job's device
/// time, and bans the context for an error.
pub(super) struct ContextCallback {
    state: Arc<ContextState>,
    engine: u32,
    turn: Turn,
}

impl ContextCallback {
    /// Allocates the completion of a job on `engine`.
    pub(super) fn completion(
        state: &Arc<ContextState>,
        engine: u32,
        turn: Turn,
    ) -> Result<Completion> {
        Completion::new(Self {
            state: state.clone(),
            engine,
            turn,
        })
    }
}

impl CompletionCallback for ContextCallback {
    fn prepare(&mut self) -> Option<ARef<Fence>> {
        let state = &*self.state;
        let turns = state.usage.turns(self.engine)?;
        let lengths = state.lengths.get(self.engine as usize)?;

        self.turn.take(turns, lengths)
    }

    fn complete(&mut self, outcome: &Outcome) -> Result {
        self.state.usage.add(self.engine, outcome.device_ns);
        if let Some(lengths) = self.state.lengths.get(self.engine as usize) {
            lengths.add(outcome.device_ns);
        }
        self.turn.end();
        match (outcome.result, outcome.fault) {
            (Err(EFAULT), Some(fault)) => self.state.ban(Cause::of_fault(fault)),
            (Err(ENODEV), _) => self.state.ban(Cause::DeviceLost),
            _ => false,
        };
        outcome.result
    }

    fn is_cancelled_by(&self, reset: Reset) -> bool {
        let lost = match reset {
            Reset::Engine => false,
            // A job that has begun cannot be run again from its start.
            Reset::Device { begun } => begun || self.state.has_lost_vram(),
        };
        if lost {
            self.state.ban(Cause::VramLost);
        }
        lost || self.state.check().is_err()
    }
}
