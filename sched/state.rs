// SPDX-License-Identifier: GPL-2.0

//! What has become of a context.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    }, //
};

use super::usage::Usage;
use crate::{
    fence::{
        Completion,
        CompletionCallback,
        Fault,
        Outcome,
        Reset, //
    },
    hw::{
        Resetter,
        VramGeneration, //
    }, //
};

/// Why a context takes no more jobs.
#[derive(Clone, Copy)]
pub(crate) enum Cause {
    /// A job of its own took too long.
    Hang,
    /// A job of its own faulted.
    Fault(Fault),
    /// What its jobs had in the GPU's memory is lost.
    VramLost,
    /// The GPU does not answer any more.
    DeviceLost,
}

/// What is known of a context.
#[derive(Clone, Copy)]
pub(crate) struct Verdict {
    /// The first that happened to it, if anything did.
    pub(crate) cause: Option<Cause>,
    /// Resets since it was made.
    pub(crate) resets: u64,
}

/// The part of a context that its jobs have to do with, also after it is gone.
///
/// Its locks are taken where fences signal: memory must not be allocated while they are held.
#[pin_data]
pub(super) struct State {
    #[pin]
    cause: Mutex<Option<Cause>>,
    /// Whether its jobs have to do with each other, so that what becomes of one is all the others'.
    coherent: bool,
    /// The generation of VRAM that jobs have used, 0 if none has.
    used: Atomic<u64>,
    vram: VramGeneration,
    resetter: Arc<Resetter>,
    resets_before: u64,
    usage: Arc<Usage>,
}

impl State {
    pub(super) fn new(
        coherent: bool,
        vram: &VramGeneration,
        resetter: &Arc<Resetter>,
        usage: &Arc<Usage>,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                cause <- new_mutex!(None, "State::cause"),
                coherent,
                used: Atomic::new(0),
                vram: vram.clone(),
                resetter: resetter.clone(),
                resets_before: resetter.count(),
                usage: usage.clone(),
            }),
            GFP_KERNEL,
        )
    }

    pub(super) fn verdict(&self) -> Verdict {
        // What was lost is noticed when somebody asks.
        let _ = self.check();
        Verdict {
            cause: *self.cause.lock(),
            resets: self.resetter.count() - self.resets_before,
        }
    }

    /// Whether the context takes jobs: `ECANCELED` or `ENODEV` if not.
    pub(super) fn check(&self) -> Result {
        if self.has_lost_vram() {
            self.condemn(Cause::VramLost);
        }
        match *self.cause.lock() {
            None => Ok(()),
            Some(Cause::DeviceLost) => Err(ENODEV),
            Some(_) => Err(ECANCELED),
        }
    }

    /// Notes that a job uses VRAM.
    pub(super) fn uses_vram(&self) {
        let now = self.vram.get();
        if !self.coherent {
            self.used.store(now, Relaxed);
        } else {
            // An older one stays: what was lost is lost.
            let _ = self.used.cmpxchg(0, now, Relaxed);
        }
    }

    /// Notes that a job of the context takes too long.
    pub(super) fn hung(&self) {
        self.condemn(Cause::Hang);
    }

    fn has_lost_vram(&self) -> bool {
        let used = self.used.load(Relaxed);
        used != 0 && used != self.vram.get()
    }

    fn condemn(&self, cause: Cause) {
        if self.coherent || matches!(cause, Cause::DeviceLost) {
            self.cause.lock().get_or_insert(cause);
        }
    }
}

/// Tells a context how a job of its ended.
pub(super) struct Verdicts {
    state: Arc<State>,
    engine: u32,
}

impl Verdicts {
    pub(super) fn completion(state: &Arc<State>, engine: u32) -> Result<Completion> {
        Completion::new(Self {
            state: state.clone(),
            engine,
        })
    }
}

impl CompletionCallback for Verdicts {
    fn complete(&mut self, outcome: &Outcome) -> Result {
        self.state.usage.add(self.engine, outcome.device_ns);
        match (outcome.result, outcome.fault) {
            (Err(EFAULT), Some(fault)) => self.state.condemn(Cause::Fault(fault)),
            (Err(ENODEV), _) => self.state.condemn(Cause::DeviceLost),
            _ => {}
        }
        outcome.result
    }

    fn is_cancelled_by(&self, reset: Reset) -> bool {
        let lost = match reset {
            Reset::Engine => false,
            // One that was begun cannot be done from its start once more.
            Reset::Device { begun } => begun || self.state.has_lost_vram(),
        };
        if lost {
            self.state.condemn(Cause::VramLost);
        }
        lost || self.state.check().is_err()
    }
}
