// SPDX-License-Identifier: GPL-2.0

//! What happens to an engine that does not get on.

use kernel::prelude::*;

use super::{
    end::Outcome,
    Engine,
    Queue, //
};
use crate::{
    hw::abi::regs::*,
    rust::dma_fence::{
        Fence,
        SignallingSection, //
    }, //
};

/// What it takes to get an engine going again.
#[derive(PartialEq, Eq)]
pub(in crate::hw) enum Remedy {
    /// Nothing more.
    None,
    /// The engine could not be reset: the device has to be.
    ResetDevice,
}

impl Engine {
    /// Has a look at what is done, and returns whether the job of `fence` is not.
    pub(crate) fn is_pending(&self, fence: &Fence) -> bool {
        let _section = SignallingSection::begin();
        self.retire(&mut self.queue.lock());
        !fence.is_signaled()
    }

    /// Takes the engine away from the job of `fence`, which is at it for too long, and has it do
    /// those behind.
    pub(in crate::hw) fn recover(&self, fence: &Fence) -> Remedy {
        let _section = SignallingSection::begin();
        let mut queue = self.queue.lock();
        self.retire(&mut queue);
        if fence.is_signaled() || queue.stopped {
            return Remedy::None;
        }
        self.reset_and_skip(&mut queue, fence.seqno(), ECANCELED)
    }

    /// Gets a halted ring going again, without the job that it halted at.
    pub(super) fn recover_ring(&self, queue: &mut Queue) {
        if let Some(oldest) = queue.pending.oldest() {
            // If that is not enough, the job will be at it for too long.
            self.reset_and_skip(queue, oldest, EIO);
        }
    }

    fn reset_and_skip(&self, queue: &mut Queue, guilty: u64, error: Error) -> Remedy {
        if !self.reset() {
            if self.shared.regs.is_present() {
                return Remedy::ResetDevice;
            }
            self.die(queue);
            return Remedy::None;
        }
        // It may have done the job in the end. What it has not done by now, it will not do.
        self.retire(queue);
        let skipped = queue.pending.skip(guilty, error);
        queue.pending.skip_cancelled(false);
        dev_warn!(
            self.shared.dev,
            "engine {} reset, {} at job {}, which {}\n",
            self.index,
            match error {
                ECANCELED => "timeout",
                _ => "ring fault",
            },
            guilty,
            if skipped { "failed" } else { "is tried again" }
        );
        self.restart(queue);
        Remedy::None
    }

    /// Has an engine that was reset do what is left to do.
    fn restart(&self, queue: &mut Queue) {
        self.shared.faults.take_ring(self.index);
        if let Some(memory) = &mut queue.memory {
            for job in queue.pending.skipped() {
                memory.ring.erase(job.start..job.body_end);
            }
            queue.pending.rewind(memory.ring.rewind());
        }
        self.start_queue(queue);
    }

    /// The device is about to be reset: notes what is done, and that nothing is begun until
    /// [`Self::resume`]. Job `guilty` will not be.
    pub(in crate::hw) fn hold(&self, guilty: Option<u64>) {
        let mut queue = self.queue.lock();
        queue.held = true;
        self.reset();
        self.retire(&mut queue);
        if let Some(guilty) = guilty {
            queue.pending.skip(guilty, ECANCELED);
        }
    }

    /// The device was reset: does what can still be done.
    pub(in crate::hw) fn resume(&self) {
        let mut queue = self.queue.lock();
        queue.held = false;
        if !queue.stopped {
            queue.pending.skip_cancelled(true);
            self.restart(&mut queue);
        }
    }

    /// Gives the device up.
    pub(in crate::hw) fn give_up(&self) {
        self.die(&mut self.queue.lock());
    }

    pub(super) fn die(&self, queue: &mut Queue) {
        self.shared.die();
        self.abandon(queue);
    }

    /// Fails all jobs and takes no more.
    pub(super) fn abandon(&self, queue: &mut Queue) {
        queue.stopped = true;
        while let Some((_, job)) = queue.pending.pop(u64::MAX) {
            job.finish(Outcome::failed(ENODEV));
        }
    }

    /// Resets the engine. Returns whether it is there and stands still.
    pub(super) fn reset(&self) -> bool {
        let regs = &self.shared.regs;
        regs.engine_write(self.index, ENGINE_CONTROL, CONTROL_RESET);
        let busy = regs.engine_read(self.index, ENGINE_STATUS) & STATUS_BUSY != 0;
        regs.is_present() && !busy
    }
}
