// SPDX-License-Identifier: GPL-2.0

//! Recovery of a hung engine.

use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

use super::hw_engine::{
    Engine,
    EngineState, //
};
use crate::{
    fence::Outcome,
    hw::{
        recovery_events::Recovery,
        regs::EngineControl, //
    },
    rust::dma_fence::{
        Fence,
        SignallingSection, //
    }, //
};

/// The action that completes the recovery of an engine.
#[must_use]
#[derive(PartialEq, Eq)]
pub(in crate::hw) enum RecoveryAction {
    /// None: it is complete.
    None,
    /// A reset of the device, as the engine cannot be reset.
    ResetDevice,
}

impl Engine {
    /// Completes jobs, and returns whether that of `fence`, which has timed out, hangs.
    ///
    /// A job that waits for a reset of the device does not: it may be run after that.
    pub(crate) fn is_hung(&self, fence: &Fence) -> bool {
        let _section = SignallingSection::begin();
        let mut state = self.state.lock();
        if state.paused {
            return false;
        }
        self.retire(&mut state);
        !(fence.is_signaled() || self.waits_for_reset())
    }

    /// Returns whether the engine cannot run before the device is reset, which is requested if it
    /// is not yet.
    pub(super) fn waits_for_reset(&self) -> bool {
        if self.shared.is_reset_wanted() {
            return true;
        }
        let lost = self.shared.has_lost_state();
        if lost {
            self.shared.request_reset();
        }
        lost
    }

    /// Recovers from a time-out of the job of `fence`: resets the engine and has it run the jobs
    /// behind that one.
    pub(in crate::hw) fn recover(&self, fence: &Fence) -> RecoveryAction {
        let _section = SignallingSection::begin();
        let mut state = self.state.lock();
        self.retire(&mut state);
        // A reset of the device that is under way does more than one of the engine.
        if fence.is_signaled() || self.stopped.load(Relaxed) || state.paused {
            return RecoveryAction::None;
        }
        self.reset_and_fail(&mut state, fence.seqno(), ECANCELED)
    }

    /// Recovers a ring that halted: the job that it halted at fails.
    ///
    /// If the ring halts again where nothing is left of that job, it is not the job's fault, and the
    /// device is reset; if it still does after that, the device is given up.
    pub(super) fn recover_ring(&self, state: &mut EngineState) {
        let Some(oldest) = state.in_flight.oldest() else {
            return;
        };
        if self.waits_for_reset() {
            return;
        }
        state.ring_faults += 1;
        match state.ring_faults {
            1 => {
                // If the engine cannot be reset, the job times out, and then the device is reset.
                let _ = self.reset_and_fail(state, oldest, EIO);
            }
            2 => self.shared.request_reset(),
            _ => self.declare_dead(state),
        }
    }

    fn reset_and_fail(&self, state: &mut EngineState, guilty: u64, error: Error) -> RecoveryAction {
        if !self.reset() {
            if self.shared.regs.is_present() {
                return RecoveryAction::ResetDevice;
            }
            self.declare_dead(state);
            return RecoveryAction::None;
        }
        // The engine may have completed the job before the reset. From here on it cannot.
        self.retire(state);
        let failed = state.in_flight.fail(guilty, error);
        state.in_flight.cancel_on_engine_reset();
        dev_warn!(
            self.shared.dev,
            "engine {} reset, {} at job {}, which {}\n",
            self.index,
            match error {
                ECANCELED => "timeout",
                _ => "ring fault",
            },
            guilty,
            if failed { "failed" } else { "is tried again" }
        );
        self.restart(state);
        self.shared.events.note(Recovery::Done);
        RecoveryAction::None
    }

    /// Restarts an engine that was reset: it runs the jobs in flight that did not fail.
    fn restart(&self, state: &mut EngineState) {
        self.shared.faults.take_ring(self.index);
        if let Some(memory) = &mut state.memory {
            for (_, span, failed) in state.in_flight.iter() {
                if failed {
                    memory.ring.erase(span.start..span.commands_end);
                }
            }
            let by = memory.ring.rewind();
            state.in_flight.iter_mut().for_each(|span| span.rewind(by));
        }
        self.start_ring(state);
    }

    /// Prepares for a reset of the device: completes jobs, and pauses the engine until
    /// [`Self::resume`]. Job `guilty` fails.
    pub(in crate::hw) fn pause(&self, guilty: Option<u64>) {
        let mut state = self.state.lock();
        state.paused = true;
        self.reset();
        self.retire(&mut state);
        if let Some(guilty) = guilty {
            state.in_flight.fail(guilty, ECANCELED);
        }
    }

    /// Resumes after a reset of the device: runs the jobs that it does not cancel.
    pub(in crate::hw) fn resume(&self) {
        let mut state = self.state.lock();
        if !self.stopped.load(Relaxed) {
            state.in_flight.cancel_on_device_reset();
        }
        self.run_again(&mut state);
    }

    /// Resumes after a sleep of the device, before which the engine was idle: runs the jobs that it
    /// got meanwhile.
    pub(in crate::hw) fn wake(&self) {
        self.run_again(&mut self.state.lock());
    }

    fn run_again(&self, state: &mut EngineState) {
        state.paused = false;
        if !self.stopped.load(Relaxed) {
            self.restart(state);
        }
    }

    /// Pauses the engine until [`Self::wake`] if it has no job in flight. Returns whether it is
    /// paused.
    pub(in crate::hw) fn pause_if_idle(&self) -> bool {
        let _section = SignallingSection::begin();
        let mut state = self.state.lock();
        self.retire(&mut state);
        if state.in_flight.is_empty() {
            self.note_busy(&mut state);
            state.paused = true;
            self.reset();
        }
        state.paused
    }

    /// Declares the device dead and fails all jobs of the engine.
    pub(in crate::hw) fn kill(&self) {
        self.declare_dead(&mut self.state.lock());
    }

    pub(super) fn declare_dead(&self, state: &mut EngineState) {
        self.shared.declare_dead();
        self.fail_all(state);
    }

    /// Fails all jobs and takes no more.
    pub(super) fn fail_all(&self, state: &mut EngineState) {
        self.stopped.store(true, Relaxed);
        while state
            .in_flight
            .complete_oldest(u64::MAX, |_, _| Outcome::failed(ENODEV))
        {}
    }

    /// Resets the engine. Returns whether it is present and idle.
    pub(super) fn reset(&self) -> bool {
        let regs = &self.shared.regs;
        regs.set_engine_control(self.index, EngineControl::from_raw(0).with_reset(true));
        let status = regs.engine_status(self.index);
        regs.is_present() && !status.busy()
    }
}
