// SPDX-License-Identifier: GPL-2.0

//! A job's right to a slot.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::space::Space;
use crate::rust::dma_fence::Fence;

/// The slot of a job that is about to be submitted.
///
/// The job's address space has the slot until this is dropped and, if [`Self::note_job`] was called,
/// until the job has ended.
pub(in crate::hw) struct SlotGuard {
    space: Arc<Space>,
    number: u32,
}

impl SlotGuard {
    /// Gets a slot for a job of `space`. Neither waits nor allocates.
    ///
    /// [`Err`] with a fence if the job has to wait for that first, and ask again; with none if it
    /// will not get a slot, as the device has stopped.
    pub(in crate::hw) fn new(space: &Arc<Space>) -> Result<Self, Option<ARef<Fence>>> {
        let number = space.mmu().slots.reserve(space.id(), space.root())?;
        Ok(Self {
            space: space.clone(),
            number,
        })
    }

    /// Returns the number of the slot in packets.
    pub(in crate::hw) fn number(&self) -> u32 {
        self.number
    }

    /// Notes that the job was submitted to `engine`, and uses the slot until `fence`, of the
    /// engine's timeline, signals.
    pub(in crate::hw) fn note_job(&self, engine: u32, fence: &Fence) {
        self.space.mmu().slots.note_job(self.number, engine, fence);
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        self.space.mmu().slots.unreserve(self.number);
    }
}
