// SPDX-License-Identifier: GPL-2.0

//! Submission of jobs.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::{
    body::Body,
    end::{
        EndHook,
        Outcome, //
    },
    packet,
    pending::Job,
    Engine,
    Memory,
    Queue, //
};
use crate::rust::dma_fence::{
    Fence,
    SignallingSection,
    UnpublishedFence, //
};

impl Engine {
    /// Has the engine do `body` once all earlier jobs are done, then does what `hook` says, and
    /// then signals `fence`, which [`Engine::new_fence`] of this engine made.
    ///
    /// Waits for nobody and allocates nothing.
    ///
    /// # Errors
    ///
    /// In all cases nothing was submitted, and the hook was called with the error.
    ///
    /// - [`EBUSY`]: there is no room. Cannot be if no more than [`CREDITS`](super::CREDITS) are
    ///   pending.
    /// - [`ENODEV`]: the device is gone.
    pub(crate) fn submit(
        self: &Arc<Self>,
        body: &Body,
        fence: UnpublishedFence,
        hook: EndHook,
    ) -> Result<ARef<Fence>> {
        let _section = SignallingSection::begin();
        let mut queue = self.queue.lock();
        if let Err(error) = self.check_room(&queue, body) {
            drop(queue);
            let _ = hook.end(&Outcome::failed(error));
            return Err(error);
        }
        let Queue {
            memory: Some(Memory { ring, slots }),
            pending: jobs,
            held,
            ..
        } = &mut *queue
        else {
            return Err(ENODEV);
        };

        let seqno = jobs.next();
        let (fence, pending) = fence.publish(seqno);
        let start = ring.tail();
        body.push(ring, seqno);
        let body_end = ring.tail();
        ring.push(&packet::timestamp(slots.stamp_va(seqno)));
        ring.push(&packet::fence(slots.done_va(), seqno));
        jobs.push(Job {
            fence: pending,
            start,
            body_end,
            end: ring.tail(),
            skipped: None,
            hook,
        });
        if !*held {
            self.shared.regs.doorbell(self.index, ring.tail_offset());
        }
        self.watch();
        Ok(fence)
    }

    fn check_room(&self, queue: &Queue, body: &Body) -> Result {
        if queue.stopped || self.shared.is_dead() {
            return Err(ENODEV);
        }
        let memory = queue.memory.as_ref().ok_or(ENODEV)?;
        if queue.pending.is_full() || memory.ring.room() < body.ring_dwords() {
            return Err(EBUSY);
        }
        Ok(())
    }
}
