// SPDX-License-Identifier: GPL-2.0

//! Packets, as a driver writes them.

use softgpu::abi::packet::{self as op, header};

/// A sequence of packets.
#[derive(Default)]
pub(crate) struct Stream(Vec<u32>);

impl Stream {
    /// The dwords of the packets.
    pub(crate) fn dwords(&self) -> &[u32] {
        &self.0
    }

    /// Appends a copy of `bytes` bytes.
    pub(crate) fn copy(&mut self, source: u64, destination: u64, bytes: u64) {
        self.packet(op::COPY, 0, &[source, destination, bytes], &[]);
    }

    /// Appends a fill of `bytes` bytes with a dword.
    pub(crate) fn fill(&mut self, destination: u64, bytes: u64, pattern: u32) {
        self.packet(op::FILL, 0, &[destination, bytes], &[pattern]);
    }

    /// Appends a checksum of `bytes` bytes, written to `destination`.
    pub(crate) fn checksum(&mut self, source: u64, bytes: u64, destination: u64) {
        self.packet(op::CHECKSUM, 0, &[source, bytes, destination], &[]);
    }

    /// Appends a fence, with or without an interrupt.
    pub(crate) fn fence(&mut self, address: u64, value: u64, irq: bool) {
        let flags = if irq { op::FENCE_IRQ } else { 0 };
        self.packet(op::FENCE, flags, &[address, value], &[]);
    }

    fn packet(&mut self, opcode: u32, flags: u32, wide: &[u64], last: &[u32]) {
        let dwords = 1 + 2 * wide.len() + last.len();
        self.0.push(header(opcode, flags, dwords as u32));
        for value in wide {
            self.0.extend([*value as u32, (*value >> 32) as u32]);
        }
        self.0.extend(last);
    }
}
