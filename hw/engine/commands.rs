// SPDX-License-Identifier: GPL-2.0

//! Commands of jobs.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::{
    packet::{
        self,
        PacketBuffer, //
    },
    ring::{
        Ring,
        RING_DWORDS, //
    }, //
};
use crate::{
    fence::MAX_IN_FLIGHT,
    hw::{
        abi::{
            limits::IB_MAX_DWORDS,
            packet::len, //
        },
        mmu::{
            SlotGuard,
            Space, //
        }, //
    },
    rust::{
        alloc::LazyVec,
        dma_fence::Fence, //
    }, //
};

/// Maximum number of indirect buffers of a job.
pub(crate) const MAX_IBS: usize = 64;

/// Maximum number of dwords of the packets of a job.
pub(crate) const MAX_PACKET_DWORDS: usize = 2048;

/// Dwords of the ring per credit.
const CREDIT_DWORDS: usize = 128;

/// Credits of an engine: jobs that take no more are sure to have room.
pub(crate) const CREDITS: u32 = MAX_IN_FLIGHT as u32;

/// Dwords of the packets at the end of each job that report its completion.
const EPILOGUE: usize = (len::TIMESTAMP + len::FENCE) as usize;

// One dword of a ring is never used.
const _: () = assert!(CREDITS as usize * CREDIT_DWORDS < RING_DWORDS);

// The largest job fits in.
const _: () = {
    let ibs = MAX_IBS * len::INDIRECT as usize;
    let commands = if MAX_PACKET_DWORDS > ibs {
        MAX_PACKET_DWORDS
    } else {
        ibs
    };
    assert!((commands + EPILOGUE).div_ceil(CREDIT_DWORDS) <= CREDITS as usize);
};

/// An indirect buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ib {
    /// Address in the job's address space, a multiple of 4.
    pub(crate) addr: u64,
    /// Length in dwords.
    pub(crate) dwords: u32,
}

impl Ib {
    /// Returns whether the ring may refer to it. An invalid one would fault as the ring.
    fn is_valid(&self) -> bool {
        self.addr % 4 == 0 && (1..=IB_MAX_DWORDS).contains(&self.dwords)
    }
}

/// The commands of a job.
pub(crate) struct Commands(Kind);

enum Kind {
    Indirect {
        space: Arc<Space>,
        /// The slot of the space, from [`Commands::prepare`] on.
        slot: Option<SlotGuard>,
        ibs: LazyVec<Ib>,
    },
    Packets(PacketBuffer),
}

impl Commands {
    /// Calls indirect buffers of an address space, one after the other.
    ///
    /// [`EINVAL`] for more than [`MAX_IBS`], or for an invalid one.
    pub(crate) fn indirect(space: Arc<Space>, ibs: LazyVec<Ib>) -> Result<Self> {
        if ibs.len() > MAX_IBS || !ibs.iter().all(Ib::is_valid) {
            return Err(EINVAL);
        }
        Ok(Self(Kind::Indirect {
            space,
            slot: None,
            ibs,
        }))
    }

    /// Runs packets of the kernel. [`EINVAL`] for more than [`MAX_PACKET_DWORDS`].
    pub(crate) fn packets(packets: PacketBuffer) -> Result<Self> {
        if packets.dwords() > MAX_PACKET_DWORDS {
            return Err(EINVAL);
        }
        Ok(Self(Kind::Packets(packets)))
    }

    /// Returns the address space that they run in; [`None`] for the kernel's.
    pub(crate) fn space(&self) -> Option<&Arc<Space>> {
        match &self.0 {
            Kind::Indirect { space, .. } => Some(space),
            Kind::Packets(_) => None,
        }
    }

    /// Gets a slot of the device for the address space, if the job has one. To be called before
    /// [`Engine::submit`](super::Engine::submit).
    ///
    /// Returns the fence that the job has to wait for first, if all slots are in use. Then it has to
    /// be called again. Neither waits nor allocates.
    pub(crate) fn prepare(&mut self) -> Option<ARef<Fence>> {
        let Kind::Indirect { space, slot, .. } = &mut self.0 else {
            return None;
        };
        if slot.is_none() {
            match SlotGuard::new(space) {
                Ok(guard) => *slot = Some(guard),
                Err(wait) => return wait,
            }
        }
        None
    }

    /// Returns the slot that the commands run in; [`None`] if [`Self::prepare`] has not got it.
    pub(super) fn slot(&self) -> Option<u32> {
        match &self.0 {
            Kind::Indirect { slot, .. } => slot.as_ref().map(SlotGuard::number),
            Kind::Packets(_) => Some(packet::KERNEL),
        }
    }

    /// Notes that the job was submitted to `engine`, and ends when `fence` signals.
    pub(super) fn note_job(&self, engine: u32, fence: &Fence) {
        if let Kind::Indirect {
            slot: Some(guard), ..
        } = &self.0
        {
            guard.note_job(engine, fence);
        }
    }

    /// Returns how many of an engine's [`CREDITS`] the job takes.
    pub(crate) fn credits(&self) -> u32 {
        self.ring_dwords().div_ceil(CREDIT_DWORDS) as u32
    }

    /// Returns how many dwords the job takes in a ring.
    pub(super) fn ring_dwords(&self) -> usize {
        EPILOGUE
            + match &self.0 {
                Kind::Indirect { ibs, .. } => ibs.len() * len::INDIRECT as usize,
                Kind::Packets(packets) => packets.dwords(),
            }
    }

    /// Pushes the packets of job `seqno`, which runs in `slot`, to `ring`.
    pub(super) fn push(&self, ring: &mut Ring, slot: u32, seqno: u64) {
        match &self.0 {
            Kind::Indirect { ibs, .. } => {
                for ib in &**ibs {
                    ring.push(&packet::indirect(slot, ib.addr, ib.dwords, seqno));
                }
            }
            Kind::Packets(packets) => ring.push(packets.as_slice()),
        }
    }
}
