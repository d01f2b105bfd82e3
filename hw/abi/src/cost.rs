// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The cost model: the device time of packets, the same on every machine.
//!
//! A packet takes [`PACKET`], the time to fetch it and the time to do it. Reads and
//! writes of a packet overlap, so the slower of the two counts. Each side takes the latency of the
//! slowest memory that it touches, the time of its bytes, in whole lines, and a walk for each page
//! that the engine's TLB does not have. Times are in nanoseconds, bandwidths in bytes a
//! microsecond.

/// Bandwidth of VRAM.
pub const VRAM_BANDWIDTH: u64 = 400_000;
/// Bandwidth of the scratchpad.
pub const SCRATCHPAD_BANDWIDTH: u64 = 1_600_000;
/// Bandwidth of system memory: 16 lanes of 16 GT/s without the overhead of TLP headers.
pub const SYSTEM_BANDWIDTH: u64 = 25_600;
/// Bandwidth of other GPUs' VRAM: such a link with the smaller TLPs between endpoints.
pub const PEER_BANDWIDTH: u64 = 22_400;

/// Latency of VRAM.
pub const VRAM_LATENCY: u64 = 200;
/// Latency of the scratchpad.
pub const SCRATCHPAD_LATENCY: u64 = 20;
/// Latency of system memory.
pub const SYSTEM_LATENCY: u64 = 800;
/// Latency of other GPUs' VRAM: two links and the switch between them.
pub const PEER_LATENCY: u64 = 1_100;

/// Bytes that memory is accessed in: every line that a packet touches counts as a whole.
pub const LINE: u64 = 64;

/// To decode a packet and start on it.
pub const PACKET: u64 = 50;
/// A [`packet::TLB_INVALIDATE`](super::packet::TLB_INVALIDATE), beyond that.
pub const TLB_INVALIDATE: u64 = 500;

/// Translations that an engine keeps, of whatever page size.
pub const TLB_ENTRIES: usize = 256;
/// Of those, in a set; a hash of its address and space tells the set of a page.
pub const TLB_WAYS: usize = 4;
/// A page walk with the last table in VRAM. Walks overlap with each other and with the
/// transfer, so this is less than the latency.
pub const WALK_VRAM: u64 = 40;
/// A page walk with the last table in system memory.
pub const WALK_SYSTEM: u64 = 120;

/// Picoseconds that `bytes` take at `bandwidth`.
pub const fn picoseconds(bytes: u64, bandwidth: u64) -> u64 {
    bytes / bandwidth * 1_000_000 + bytes % bandwidth * 1_000_000 / bandwidth
}
