// SPDX-License-Identifier: GPL-2.0

//! The ring of packets of an engine.

use core::ops::Range;

use kernel::{
    device::{
        Bound,
        Device, //
    },
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

/// Dwords of a ring, a power of two.
pub(super) const RING_DWORDS: usize = 1 << 14;

/// Bytes of a ring.
pub(crate) const RING_SIZE: u32 = (RING_DWORDS * size_of::<u32>()) as u32;

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
    /// Takes the packets over while they are moved to the start of the ring.
    spare: KVVec<u32>,
    head: u64,
    tail: u64,
}

impl Ring {
    /// Allocates an empty one.
    pub(super) fn new(dev: &Device<Bound>) -> Result<Self> {
        Ok(Self {
            dwords: Coherent::zeroed(dev, GFP_KERNEL)?,
            spare: KVVec::with_capacity(RING_DWORDS, GFP_KERNEL)?,
            head: 0,
            tail: 0,
        })
    }

    /// Where the device finds it.
    pub(super) fn dma_address(&self) -> DmaAddress {
        self.dwords.dma_address()
    }

    /// Dwords that can be pushed now.
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

    /// Position of the end of the packets.
    pub(super) fn tail(&self) -> u64 {
        self.tail
    }

    /// Offset in bytes of the end of the packets.
    pub(super) fn tail_offset(&self) -> u32 {
        (self.tail as usize % RING_DWORDS * size_of::<u32>()) as u32
    }

    /// Makes room of what is before `position`.
    pub(super) fn release(&mut self, position: u64) {
        // INVARIANT: `head` only moves towards `tail`.
        self.head = position.clamp(self.head, self.tail);
    }

    /// Positions and dwords of the packets that the engine may not have done.
    pub(super) fn pending(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        (self.head..self.tail).map(|position| (position, self.get(position)))
    }

    /// Replaces the packets at some positions by ones that do nothing.
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
