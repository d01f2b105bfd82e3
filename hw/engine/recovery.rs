// SPDX-License-Identifier: GPL-2.0

//! What happens to an engine that does not get on.

use kernel::prelude::*;

use super::{
    Engine,
    Queue, //
};
use crate::hw::abi::regs::*;

impl Engine {
    /// Resets the engine, fails the job that it was at with `error` and has it do those behind.
    pub(super) fn recover(&self, queue: &mut Queue, error: Error) {
        let Some((guilty, _)) = queue.pending.oldest() else {
            return;
        };
        if !self.reset() {
            self.die(queue);
            return;
        }

        // It may have done the job in the end. What it has not done by now, it will not do.
        self.retire(queue);
        self.shared.faults.take_ring(self.index);
        if let Some((seqno, job)) = queue.pending.pop(guilty) {
            dev_warn!(
                self.shared.dev,
                "engine {} reset, job {} failed: {}\n",
                self.index,
                seqno,
                match error {
                    ECANCELED => "timeout",
                    _ => "its ring faulted",
                }
            );
            self.shared.faults.take_job(self.index, seqno);
            queue.ring.release(job.end);
            // Other engines may wait for it.
            self.shared.slots.write(self.index, seqno);
            job.finish(Err(error));
        }

        let moved = queue.ring.rewind();
        queue.pending.rewind(moved);
        self.start_queue(queue);
        self.room.notify_all();
    }

    /// Gives the device up.
    pub(super) fn die(&self, queue: &mut Queue) {
        self.shared.die();
        self.abandon(queue);
    }

    /// Fails all jobs and takes no more.
    pub(super) fn abandon(&self, queue: &mut Queue) {
        queue.stopped = true;
        while let Some((_, job)) = queue.pending.pop(u64::MAX) {
            queue.ring.release(job.end);
            job.finish(Err(ENODEV));
        }
        self.room.notify_all();
    }

    /// Resets the engine. Returns whether it is there.
    pub(super) fn reset(&self) -> bool {
        let regs = &self.shared.regs;
        regs.engine_write(self.index, ENGINE_CONTROL, CONTROL_RESET);
        regs.is_present()
    }
}
