// SPDX-License-Identifier: GPL-2.0

//! Packets, as a driver would write them.

use softgpu::abi::packet::{self as op, header, len};

/// A sequence of packets.
#[derive(Clone, Default)]
pub(crate) struct Stream(pub(crate) Vec<u32>);

impl Stream {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn raw(mut self, dwords: &[u32]) -> Self {
        self.0.extend(dwords);
        self
    }

    /// A packet with the length that its operands make.
    pub(crate) fn packet(mut self, opcode: u32, flags: u32, operands: &[u32]) -> Self {
        self.0
            .push(header(opcode, flags, operands.len() as u32 + 1));
        self.raw(operands)
    }

    fn wide(self, opcode: u32, flags: u32, operands: &[u64], last: &[u32]) -> Self {
        let mut dwords: Vec<u32> = operands.iter().copied().flat_map(halves).collect();
        dwords.extend(last);
        self.packet(opcode, flags, &dwords)
    }

    pub(crate) fn nop(mut self, dwords: u32) -> Self {
        self.0.push(header(op::NOP, 0, dwords));
        // Not packets: a NOP hides what it skips.
        self.0.extend((1..dwords).map(|_| 0xffff_ffff));
        self
    }

    pub(crate) fn fence(self, address: u64, value: u64, irq: bool) -> Self {
        let flags = if irq { op::FENCE_IRQ } else { 0 };
        self.wide(op::FENCE, flags, &[address, value], &[])
    }

    pub(crate) fn indirect(mut self, space: u32, dwords: u32, address: u64, tag: u64) -> Self {
        self.0.push(header(op::INDIRECT, 0, len::INDIRECT));
        self = self.raw(&[space, dwords]);
        self = self.raw(&halves(address));
        self.raw(&halves(tag))
    }

    pub(crate) fn tlb_invalidate(mut self, space: u32, start: u64, size: u64) -> Self {
        self.0
            .push(header(op::TLB_INVALIDATE, 0, len::TLB_INVALIDATE));
        self = self.raw(&[space, 0]);
        self = self.raw(&halves(start));
        self.raw(&halves(size))
    }

    pub(crate) fn wait(self, address: u64, value: u64) -> Self {
        self.wide(op::WAIT, 0, &[address, value], &[])
    }

    pub(crate) fn timestamp(self, address: u64) -> Self {
        self.wide(op::TIMESTAMP, 0, &[address], &[])
    }

    pub(crate) fn copy(self, source: u64, destination: u64, bytes: u64) -> Self {
        self.wide(op::COPY, 0, &[source, destination, bytes], &[])
    }

    pub(crate) fn fill(self, destination: u64, bytes: u64, pattern: u32) -> Self {
        self.wide(op::FILL, 0, &[destination, bytes], &[pattern])
    }

    pub(crate) fn write(self, destination: u64, data: &[u32]) -> Self {
        self.wide(op::WRITE, 0, &[destination], data)
    }

    pub(crate) fn checksum(self, source: u64, bytes: u64, destination: u64) -> Self {
        self.wide(op::CHECKSUM, 0, &[source, bytes, destination], &[])
    }

    /// Each side is an address and a pitch.
    pub(crate) fn copy_rows(
        self,
        source: (u64, u32),
        destination: (u64, u32),
        bytes: u32,
        rows: u32,
    ) -> Self {
        let [from_low, from_high] = halves(source.0);
        let [to_low, to_high] = halves(destination.0);
        let from = [from_low, from_high, source.1];
        let to = [to_low, to_high, destination.1];
        let operands = [&from[..], &to, &[bytes, rows]].concat();
        self.packet(op::COPY_ROWS, 0, &operands)
    }

    pub(crate) fn atomic_add(self, address: u64, summand: u64, result: u64) -> Self {
        self.wide(op::ATOMIC_ADD, 0, &[address, summand, result], &[])
    }

    pub(crate) fn atomic_swap(self, address: u64, expected: u64, new: u64, result: u64) -> Self {
        self.wide(op::ATOMIC_SWAP, 0, &[address, expected, new, result], &[])
    }

    /// Each side is an address, a pitch, and a rectangle as below.
    pub(crate) fn blit(
        self,
        source: (u64, u32, [u32; 4]),
        destination: (u64, u32, [u32; 4]),
        flags: u32,
    ) -> Self {
        let mut operands = Vec::new();
        for (surface, pitch, rectangle) in [source, destination] {
            operands.extend(halves(surface));
            operands.push(pitch);
            operands.extend(rectangle);
        }
        self.packet(op::BLIT, flags, &operands)
    }

    /// A corner is x, y, in pixels, and the pixel.
    pub(crate) fn triangle(
        self,
        (surface, pitch): (u64, u32),
        [width, height]: [u32; 2],
        corners: [(f64, f64, u32); 3],
        flags: u32,
    ) -> Self {
        let mut operands = halves(surface).to_vec();
        operands.extend([pitch, width, height]);
        for (x, y, pixel) in corners {
            let fixed = |place: f64| (place * 256.0) as i32 as u32;
            operands.extend([fixed(x), fixed(y), pixel]);
        }
        self.packet(op::TRIANGLE, flags, &operands)
    }

    /// The rectangle is left, top, width, height.
    pub(crate) fn rect_fill(
        self,
        surface: u64,
        pitch: u32,
        rectangle: [u32; 4],
        pixel: u32,
    ) -> Self {
        let [left, top, width, height] = rectangle;
        let last = [pitch, left, top, width, height, pixel];
        self.wide(op::RECT_FILL, 0, &[surface], &last)
    }
}

fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}
