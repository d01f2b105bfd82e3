// SPDX-License-Identifier: GPL-2.0

//! Submission of jobs.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        CondVarTimeoutResult,
        MutexGuard, //
    },
    time::{
        msecs_to_jiffies,
        Msecs, //
    }, //
};

use super::{
    deps::Waits,
    packet,
    pending::{
        Job,
        OnEnd, //
    },
    ring::{
        Ring,
        RING_DWORDS, //
    },
    Dependency,
    Engine,
    PacketBuffer,
    Queue, //
};
use crate::{
    hw::{
        abi::{
            limits::{
                IB_MAX_DWORDS,
                MAX_ENGINES, //
            },
            packet::len, //
        },
        mmu::SpaceId, //
    },
    rust::dma_fence::{
        Fence,
        SignallingSection,
        UnpublishedFence, //
    }, //
};

/// Most indirect buffers of a job.
pub(crate) const MAX_IBS: usize = 64;

/// Most dwords of the packets of a job.
pub(crate) const MAX_PACKET_DWORDS: usize = 2048;

/// Milliseconds to wait for room in a ring.
const ROOM_TIMEOUT: Msecs = 20_000;

// The largest job fits into an empty ring.
const _: () = {
    let body = if MAX_PACKET_DWORDS > MAX_IBS * len::INDIRECT as usize {
        MAX_PACKET_DWORDS
    } else {
        MAX_IBS * len::INDIRECT as usize
    };
    assert!(MAX_ENGINES as usize * len::WAIT as usize + body + (len::FENCE as usize) < RING_DWORDS);
};

/// An indirect buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ib {
    /// Address in the job's address space, a multiple of 4.
    pub(crate) addr: u64,
    /// Length in dwords.
    pub(crate) dwords: u32,
}

/// What a job does.
pub(crate) enum Body<'a> {
    /// Runs indirect buffers one after the other.
    Indirect {
        /// The address space that they are in, and run in.
        space: SpaceId,
        /// The buffers, at most [`MAX_IBS`].
        ibs: &'a [Ib],
    },
    /// Packets of the kernel, at most [`MAX_PACKET_DWORDS`].
    Packets(&'a PacketBuffer),
}

impl Body<'_> {
    /// Length in the ring.
    fn dwords(&self) -> Result<usize> {
        match self {
            Self::Indirect { ibs, .. } if ibs.len() <= MAX_IBS && ibs.iter().all(Ib::is_valid) => {
                Ok(ibs.len() * len::INDIRECT as usize)
            }
            Self::Packets(packets) if packets.dwords() <= MAX_PACKET_DWORDS => Ok(packets.dwords()),
            _ => Err(EINVAL),
        }
    }

    fn push(&self, ring: &mut Ring, seqno: u64) {
        match self {
            Self::Indirect { space, ibs } => {
                for ib in *ibs {
                    ring.push(&packet::indirect(space.number(), ib.addr, ib.dwords, seqno));
                }
            }
            Self::Packets(packets) => ring.push(packets.as_slice()),
        }
    }
}

impl Ib {
    /// Whether the ring may refer to it: a bad one would fault there.
    fn is_valid(&self) -> bool {
        self.addr % 4 == 0 && (1..=IB_MAX_DWORDS).contains(&self.dwords)
    }
}

impl Engine {
    /// Has the engine do `body` once `dependencies` and all earlier jobs are done, then does what
    /// `on_end` says, and then signals `fence`, which [`Engine::new_fence`] of this engine made.
    ///
    /// Waits until there is room in the ring, before the fence is published. Allocates nothing.
    ///
    /// # Errors
    ///
    /// In all cases nothing was submitted and the fence was dropped.
    ///
    /// - [`EINVAL`]: `body` is too large or has an indirect buffer that cannot be one, or there is
    ///   a [`Dependency::Foreign`].
    /// - [`ERESTARTSYS`]: `interruptible`, and there is a signal.
    /// - [`EBUSY`]: `interruptible`, and there was no room for a long time.
    /// - [`ENODEV`]: the device is gone.
    pub(crate) fn submit(
        self: &Arc<Self>,
        dependencies: &[Dependency],
        body: Body<'_>,
        fence: UnpublishedFence,
        on_end: Option<KBox<dyn OnEnd>>,
        interruptible: bool,
    ) -> Result<ARef<Fence>> {
        let waits = Waits::new(self.index, dependencies)?;
        let dwords = waits.dwords() + body.dwords()? + len::FENCE as usize;
        let mut guard = self.wait_for_room(dwords, interruptible)?;
        let queue = &mut *guard;

        let _section = SignallingSection::begin();
        let seqno = queue.pending.next();
        let (fence, pending) = fence.publish(seqno);
        let slots = &self.shared.slots;
        for wait in waits.packets(slots) {
            queue.ring.push(&wait);
        }
        body.push(&mut queue.ring, seqno);
        queue.ring.push(&packet::fence(slots.va(self.index), seqno));
        queue.pending.push(Job {
            fence: pending,
            waits,
            end: queue.ring.tail(),
            on_end,
        });
        self.shared
            .regs
            .doorbell(self.index, queue.ring.tail_offset());
        self.watch();
        Ok(fence)
    }

    fn wait_for_room(&self, dwords: usize, interruptible: bool) -> Result<MutexGuard<'_, Queue>> {
        let mut queue = self.queue.lock();
        let mut left = msecs_to_jiffies(ROOM_TIMEOUT);
        loop {
            if queue.stopped || self.shared.is_dead() {
                return Err(ENODEV);
            }
            if !queue.pending.is_full() && queue.ring.room() >= dwords {
                return Ok(queue);
            }
            if !interruptible {
                // The watchdog sees to it that this ends.
                self.room.wait(&mut queue);
                continue;
            }
            left = match self.room.wait_interruptible_timeout(&mut queue, left) {
                CondVarTimeoutResult::Woken { jiffies } => jiffies,
                CondVarTimeoutResult::Signal { .. } => return Err(ERESTARTSYS),
                CondVarTimeoutResult::Timeout => return Err(EBUSY),
            };
        }
    }
}
