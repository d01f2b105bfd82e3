// SPDX-License-Identifier: GPL-2.0

//! Submission of jobs to an engine.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::{
    commands::Commands,
    hw_engine::{
        Engine,
        EngineMemory,
        EngineState, //
    },
    packet,
    ring::RingSpan, //
};
use crate::{
    fence::{
        Completion,
        Outcome, //
    },
    rust::dma_fence::{
        Fence,
        SignallingSection,
        UnpublishedFence, //
    }, //
};

impl Engine {
    /// Submits a job that runs `commands` after all earlier jobs. When it is done, `completion` is
    /// called and then `fence`, which [`Engine::new_fence`] of this engine allocated, signals.
    ///
    /// Neither waits nor allocates.
    ///
    /// # Errors
    ///
    /// In all cases nothing was submitted, and the completion callback was called with the error.
    ///
    /// - [`EBUSY`]: there is no room. Cannot be if no more than [`CREDITS`](super::CREDITS) are in
    ///   flight.
    /// - [`ENODEV`]: the device is gone, or the commands have no slot, see [`Commands::prepare`].
    pub(crate) fn submit(
        self: &Arc<Self>,
        commands: &Commands,
        fence: UnpublishedFence,
        completion: Completion,
    ) -> Result<ARef<Fence>> {
        let _section = SignallingSection::begin();
        let mut state = self.state.lock();
        let slot = match self.check_room(&state, commands) {
            Ok(slot) => slot,
            Err(error) => {
                drop(state);
                let _ = completion.run(&Outcome::failed(error));
                return Err(error);
            }
        };
        let EngineState {
            memory: Some(EngineMemory { ring, status }),
            in_flight,
            paused,
            ..
        } = &mut *state
        else {
            return Err(ENODEV);
        };

        let fence = in_flight.publish(fence, completion, |seqno| {
            let start = ring.tail();
            commands.push(ring, slot, seqno);
            let commands_end = ring.tail();
            ring.push(&packet::timestamp(status.timestamp_va(seqno)));
            ring.push(&packet::fence(status.last_seqno_va(), seqno));
            RingSpan {
                start,
                commands_end,
                end: ring.tail(),
            }
        })?;
        commands.note_job(self.index, &fence);
        self.watch();
        // Last: the interrupt of a short job finds the lock free then.
        if !*paused {
            self.shared.regs.doorbell(self.index, ring.tail_offset());
        }
        Ok(fence)
    }

    /// Returns the slot of a job for which there is room.
    fn check_room(&self, state: &EngineState, commands: &Commands) -> Result<u32> {
        if self.is_dead() {
            return Err(ENODEV);
        }
        let memory = state.memory.as_ref().ok_or(ENODEV)?;
        if state.in_flight.is_full() || memory.ring.room() < commands.ring_dwords() {
            return Err(EBUSY);
        }
        commands.slot().ok_or(ENODEV)
    }
}
