// SPDX-License-Identifier: GPL-2.0

//! The ring of packets of an engine.

use core::ops::Range;

use kernel::{
    dma::{
        Coherent,
        DmaAddress, //
    },
    io::{
        io_read,
        io_write, //
    },
    prelude::*, //
};

use super::packet;
use crate::rust::devres::BoundDevice;

/// Dwords of a ring, a power of two.
pub(super) const RING_DWORDS: usize = 1 << 14;

/// Bytes of a ring.
pub(super) const RING_SIZE: u32 = (RING_DWORDS * size_of::<u32>()) as u32;

/// The part of a ring that a job takes, by positions.
pub(super) struct RingSpan {
    /// Start of the job's packets.
    pub(super) start: u64,
    /// End of its commands. The packets behind them report its completion.
    pub(super) commands_end: u64,
    /// End of its packets.
    pub(super) end: u64,
}

impl RingSpan {
    /// Moves the span in a ring that [`Ring::rewind`] was called of.
    pub(super) fn rewind(&mut self, by: u64) {
        self.start -= by;
        self.commands_end -= by;
        self.end -= by;
    }
}

/// A ring.
///
/// Positions count dwords and never wrap: the dword at a position is at the position modulo the
/// size.
///
/// # Invariants
///
/// `head <= tail < head + RING_DWORDS`: a full ring has one free dword left, as the device takes
/// equal offsets for an empty one.
pub(super) struct Ring {
    dwords: Coherent<[u32; RING_DWORDS]>,
    /// Holds the packets while they are moved to the start of the ring.
    spare: KVVec<u32>,
    head: u64,
    tail: u64,
}

impl Ring {
    /// Allocates an empty ring.
    pub(super) fn new(bound: &BoundDevice) -> Result<Self> {
        Ok(Self {
            dwords: bound.alloc_coherent(GFP_KERNEL)?,
            spare: KVVec::with_capacity(RING_DWORDS, GFP_KERNEL)?,
            head: 0,
            tail: 0,
        })
    }

    /// Returns the ring's DMA address.
    pub(super) fn dma_address(&self) -> DmaAddress {
        self.dwords.dma_address()
    }

    /// Returns how many dwords can be pushed now.
    pub(super) fn room(&self) -> usize {
        RING_DWORDS - 1 - (self.tail - self.head) as usize
    }

    /// Appends `packets`, at most as many dwords as there is room for.
    pub(super) fn push(&mut self, packets: &[u32]) {
        debug_assert!(packets.len() <= self.room());
        for &dword in packets {
            self.set(self.tail, dword);
            self.tail += 1;
        }
    }

    /// Returns the position of the end of the packets.
    pub(super) fn tail(&self) -> u64 {
        self.tail
    }

    /// Returns the offset in bytes of the end of the packets.
    pub(super) fn tail_offset(&self) -> u32 {
        (self.tail as usize % RING_DWORDS * size_of::<u32>()) as u32
    }

    /// Frees the dwords before `position`.
    pub(super) fn release(&mut self, position: u64) {
        // INVARIANT: `head` only moves towards `tail`.
        self.head = position.clamp(self.head, self.tail);
    }

    /// Iterates over the positions and dwords of packets that the engine may not have run.
    pub(super) fn pending(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        (self.head..self.tail).map(|position| (position, self.get(position)))
    }

    /// Replaces the packets at `positions` by NOPs.
    pub(super) fn erase(&self, positions: Range<u64>) {
        for position in positions {
            self.set(position, packet::NOP);
        }
    }

    /// Moves the packets to the start of the ring, for an engine that was reset, and returns by how
    /// much positions are smaller now.
    pub(super) fn rewind(&mut self) -> u64 {
        let moved = self.head;
        self.spare.clear();
        for position in self.head..self.tail {
            let dword = self.get(position);
            // The capacity is that of the ring.
            let _ = self.spare.push_within_capacity(dword);
        }
        // INVARIANT: Both move by as much.
        self.head -= moved;
        self.tail -= moved;
        for (position, &dword) in (0..).zip(self.spare.iter()) {
            self.set(position, dword);
        }
        moved
    }

    fn get(&self, position: u64) -> u32 {
        let index = position as usize % RING_DWORDS;
        u32::from_le(io_read!(self.dwords, [panic: index]))
    }

    fn set(&self, position: u64, dword: u32) {
        let index = position as usize % RING_DWORDS;
        io_write!(self.dwords, [panic: index], dword.to_le());
    }
}
