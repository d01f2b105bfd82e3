// SPDX-License-Identifier: GPL-2.0

//! The watchdog of an engine, for lost interrupts, rings that halted, and devices that are gone or
//! have lost their state.
//! Time-outs of jobs are the scheduler's.

use kernel::{
    sync::Arc,
    time::{
        msecs_to_jiffies,
        Msecs, //
    },
    workqueue::WorkItem, //
};

use super::hw_engine::{
    Engine,
    EngineState, //
};
use crate::rust::{
    dma_fence::SignallingSection,
    workqueue::{
        DelayedReclaimWork,
        ReclaimQueue, //
    }, //
};

/// Milliseconds between two checks of an engine with jobs in flight.
const PERIOD: Msecs = 1000;

impl Engine {
    /// Schedules a check of the engine, unless one is scheduled.
    pub(super) fn watch(self: &Arc<Self>) {
        self.clone().enqueue_delayed(msecs_to_jiffies(PERIOD));
    }

    fn check(&self, state: &mut EngineState) {
        // While it is paused, the device may be off its bus, or asleep.
        if state.paused {
            return;
        }
        self.retire(state);
        if state.in_flight.is_empty() {
            return;
        }
        let regs = &self.shared.regs;
        let status = regs.engine_status(self.index);
        if !regs.is_present() || self.shared.is_dead() {
            self.declare_dead(state);
        } else if !self.waits_for_reset() && status.halted() {
            self.recover_ring(state);
        }
    }
}

impl DelayedReclaimWork for Engine {
    fn queue(&self) -> &ReclaimQueue {
        &self.shared.queue
    }
}

impl WorkItem for Engine {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let _section = SignallingSection::begin();
        let mut state = this.state.lock();
        this.check(&mut state);
        if !state.in_flight.is_empty() {
            this.watch();
        }
    }
}
