// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Packets.
//!
//! A packet is a header dword and its operands: bits 7:0 opcode, 15:8 flags, 31:16 length in
//! dwords with the header. 64-bit operands are two dwords, low one first, and need no alignment
//! in the packet. Addresses are in the address space that the packets run in. A packet in a ring
//! may wrap around its end.

/// Does nothing; any length of at least 1.
pub const NOP: u32 = 0x00;
/// Ring only. Writes a value when all packets before it are complete and their writes visible:
/// address (64, 8-byte aligned), value (64). With [`FENCE_IRQ`], raises the engine's interrupt
/// afterwards.
pub const FENCE: u32 = 0x01;
/// Flag of [`FENCE`].
pub const FENCE_IRQ: u32 = 1 << 0;
/// Ring only. Runs an indirect buffer: address space (32), dwords (32), address (64, 4-byte
/// aligned), tag (64). If it faults, the rest of it is skipped, the fault is reported with the
/// tag before any later packet of the ring starts, and the ring goes on.
pub const INDIRECT: u32 = 0x02;
/// Ring only. As [`regs::TLB_INVALIDATE`](super::regs::TLB_INVALIDATE): address space (32),
/// reserved (32, 0), start (64), size (64).
pub const TLB_INVALIDATE: u32 = 0x03;
/// Ring only. Waits until the 64-bit word at an address (64, 8-byte aligned) is at least a
/// value (64), unsigned.
pub const WAIT: u32 = 0x04;
/// Ring only. Writes the engine's busy time in nanoseconds, the value of [`regs::BUSY_LO`], as 64
/// bits: address (64, 8-byte aligned).
///
/// [`regs::BUSY_LO`]: super::regs::BUSY_LO
pub const TIMESTAMP: u32 = 0x05;

/// Copies: source (64), destination (64), bytes (64). Any alignment; the two must not
/// overlap, or the destination's content is undefined.
pub const COPY: u32 = 0x10;
/// Fills with a 32-bit pattern: destination (64, 4-byte aligned), bytes (64, multiple of 4),
/// pattern (32).
pub const FILL: u32 = 0x11;
/// Writes immediate data: destination (64, 4-byte aligned), then one dword or more of data.
pub const WRITE: u32 = 0x12;
/// Writes the [`checksum`](super::checksum) of a range: source (64, 4-byte aligned), bytes
/// (64, multiple of 4), destination of the 64-bit result (64, 8-byte aligned).
pub const CHECKSUM: u32 = 0x13;

/// Copies rows: source (64), bytes from one row to the next there (32), destination (64),
/// bytes from one row to the next there (32), bytes of a row (32), rows (32). Any alignment;
/// the two must not overlap, or the destination's content is undefined.
pub const COPY_ROWS: u32 = 0x14;
/// Adds to a 64-bit word, atomically for engines and CPUs: address (64, 8-byte aligned), summand
/// (64), address for the old value (64, 8-byte aligned, 0 for none).
pub const ATOMIC_ADD: u32 = 0x15;
/// Compares a 64-bit word with an expected value and replaces it if they are equal, atomically for
/// engines and CPUs: address (64, 8-byte aligned), expected value (64), new value (64), address
/// for the old value (64, 8-byte aligned, 0 for none).
pub const ATOMIC_SWAP: u32 = 0x16;

/// Render. Fills a rectangle of a surface of 32-bit pixels: surface (64, 4-byte aligned),
/// bytes from one row to the next (32, multiple of 4), left edge in pixels (32), top edge in
/// rows (32), width in pixels (32), height in rows (32), pixel (32).
pub const RECT_FILL: u32 = 0x20;
/// Render. Draws a rectangle of one surface into a rectangle of another, of 32-bit pixels,
/// stretched: each pixel is the nearest one. Twice, for source and destination: surface (64,
/// 4-byte aligned), bytes from one row to the next (32, multiple of 4), left edge (32), top
/// edge (32), width (32), height (32), each at most
/// [`SURFACE_MAX`](super::limits::SURFACE_MAX). Flag: [`BLEND`].
pub const BLIT: u32 = 0x21;
/// Render. Draws a triangle: surface (64, 4-byte aligned), bytes from one row to the next (32,
/// multiple of 4), width (32) and height (32) of the surface, each at most
/// [`SURFACE_MAX`](super::limits::SURFACE_MAX), and of each corner x (32) and y (32), signed,
/// in units of 1/256 of a pixel, and the pixel (32) there. Flag: [`BLEND`].
pub const TRIANGLE: u32 = 0x22;
/// Flag of [`BLIT`] and [`TRIANGLE`]: pixels are mixed with what is there, in proportion to
/// their bits 31:24.
pub const BLEND: u32 = 1 << 0;

/// Lengths in dwords, header included, of the packets that have a fixed one.
pub mod len {
    /// Of [`FENCE`](super::FENCE).
    pub const FENCE: u32 = 5;
    /// Of [`INDIRECT`](super::INDIRECT).
    pub const INDIRECT: u32 = 7;
    /// Of [`TLB_INVALIDATE`](super::TLB_INVALIDATE).
    pub const TLB_INVALIDATE: u32 = 7;
    /// Of [`WAIT`](super::WAIT).
    pub const WAIT: u32 = 5;
    /// Of [`TIMESTAMP`](super::TIMESTAMP).
    pub const TIMESTAMP: u32 = 3;
    /// Of [`COPY`](super::COPY).
    pub const COPY: u32 = 7;
    /// Of [`FILL`](super::FILL).
    pub const FILL: u32 = 6;
    /// Of [`CHECKSUM`](super::CHECKSUM).
    pub const CHECKSUM: u32 = 7;
    /// Of [`RECT_FILL`](super::RECT_FILL).
    pub const RECT_FILL: u32 = 9;
    /// Of [`COPY_ROWS`](super::COPY_ROWS).
    pub const COPY_ROWS: u32 = 9;
    /// Of [`ATOMIC_ADD`](super::ATOMIC_ADD).
    pub const ATOMIC_ADD: u32 = 7;
    /// Of [`ATOMIC_SWAP`](super::ATOMIC_SWAP).
    pub const ATOMIC_SWAP: u32 = 9;
    /// Of [`BLIT`](super::BLIT).
    pub const BLIT: u32 = 15;
    /// Of [`TRIANGLE`](super::TRIANGLE).
    pub const TRIANGLE: u32 = 15;
    /// Shortest [`WRITE`](super::WRITE).
    pub const WRITE_MIN: u32 = 4;
    /// Longest packet.
    pub const MAX: u32 = 0xffff;
}

/// Makes a header.
pub const fn header(opcode: u32, flags: u32, dwords: u32) -> u32 {
    (opcode & 0xff) | ((flags & 0xff) << 8) | (dwords << 16)
}
