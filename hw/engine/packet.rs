// SPDX-License-Identifier: GPL-2.0

//! Encoding of packets.

use kernel::prelude::*;

use crate::hw::abi::packet::{
    self,
    header,
    len, //
};

/// The slot of the kernel's address space.
pub(super) const KERNEL: u32 = 0;

/// A NOP, a packet of one dword.
pub(super) const NOP: u32 = header(packet::NOP, 0, 1);

/// Packets of the kernel's address space, for one job.
pub(crate) struct PacketBuffer(KVec<u32>);

impl PacketBuffer {
    /// Makes an empty buffer.
    pub(crate) const fn new() -> Self {
        Self(KVec::new())
    }

    /// Appends a copy of `bytes` bytes from `source` to `destination`, which do not overlap.
    pub(crate) fn copy(&mut self, source: u64, destination: u64, bytes: u64) -> Result {
        let packet: [u32; len::COPY as usize] = [
            header(packet::COPY, 0, len::COPY),
            low(source),
            high(source),
            low(destination),
            high(destination),
            low(bytes),
            high(bytes),
        ];
        Ok(self.0.extend_from_slice(&packet, GFP_KERNEL)?)
    }

    /// Appends a fill of `bytes` bytes from `destination` on with `pattern`; both are multiples
    /// of 4.
    pub(crate) fn fill(&mut self, destination: u64, bytes: u64, pattern: u32) -> Result {
        if destination % 4 != 0 || bytes % 4 != 0 {
            return Err(EINVAL);
        }
        let packet: [u32; len::FILL as usize] = [
            header(packet::FILL, 0, len::FILL),
            low(destination),
            high(destination),
            low(bytes),
            high(bytes),
            pattern,
        ];
        Ok(self.0.extend_from_slice(&packet, GFP_KERNEL)?)
    }

    /// Appends a TLB invalidation of `bytes` bytes from `start` on in the kernel's address space.
    pub(crate) fn invalidate(&mut self, start: u64, bytes: u64) -> Result {
        let packet: [u32; len::TLB_INVALIDATE as usize] = [
            header(packet::TLB_INVALIDATE, 0, len::TLB_INVALIDATE),
            KERNEL,
            0,
            low(start),
            high(start),
            low(bytes),
            high(bytes),
        ];
        Ok(self.0.extend_from_slice(&packet, GFP_KERNEL)?)
    }

    /// Returns whether there are no packets.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the length in dwords.
    pub(crate) fn dwords(&self) -> usize {
        self.0.len()
    }

    pub(super) fn as_slice(&self) -> &[u32] {
        &self.0
    }
}

/// Encodes a fence, which writes `value` to `address` and raises the engine's interrupt.
pub(super) fn fence(address: u64, value: u64) -> [u32; len::FENCE as usize] {
    [
        header(packet::FENCE, packet::FENCE_IRQ, len::FENCE),
        low(address),
        high(address),
        low(value),
        high(value),
    ]
}

/// Encodes a write of the time that the engine was busy to `address`.
pub(super) fn timestamp(address: u64) -> [u32; len::TIMESTAMP as usize] {
    [
        header(packet::TIMESTAMP, 0, len::TIMESTAMP),
        low(address),
        high(address),
    ]
}

/// Encodes a call of the `dwords` dwords at `address` in address space `space`. Its faults are
/// reported with `tag`.
pub(super) fn indirect(
    space: u32,
    address: u64,
    dwords: u32,
    tag: u64,
) -> [u32; len::INDIRECT as usize] {
    [
        header(packet::INDIRECT, 0, len::INDIRECT),
        space,
        dwords,
        low(address),
        high(address),
        low(tag),
        high(tag),
    ]
}

const fn low(value: u64) -> u32 {
    value as u32
}

const fn high(value: u64) -> u32 {
    (value >> 32) as u32
}
