// SPDX-License-Identifier: GPL-2.0

//! The watchdog of an engine: it looks after interrupts that got lost, rings that halted and
//! devices that are gone. Jobs that take too long are the scheduler's.

use kernel::{
    sync::Arc,
    time::{
        msecs_to_jiffies,
        Msecs, //
    },
    workqueue::WorkItem, //
};

use super::{
    Engine,
    Queue, //
};
use crate::{
    hw::abi::regs::*,
    rust::dma_fence::SignallingSection, //
};

/// Milliseconds between two looks at an engine that has something to do.
const PERIOD: Msecs = 1000;

impl Engine {
    /// Has the watchdog look at the engine in a while, if it is not about to anyway.
    pub(super) fn watch(self: &Arc<Self>) {
        let _ = self
            .shared
            .queue
            .enqueue_delayed(self.clone(), msecs_to_jiffies(PERIOD));
    }

    fn look(&self, queue: &mut Queue) {
        self.retire(queue);
        if queue.pending.is_empty() {
            return;
        }
        let regs = &self.shared.regs;
        let status = regs.engine_read(self.index, ENGINE_STATUS);
        if !regs.is_present() || self.shared.is_dead() {
            self.die(queue);
        } else if status & STATUS_HALTED != 0 && !queue.held {
            self.recover_ring(queue);
        }
    }
}

impl WorkItem for Engine {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let _section = SignallingSection::begin();
        let mut queue = this.queue.lock();
        this.look(&mut queue);
        if !queue.pending.is_empty() {
            this.watch();
        }
    }
}
