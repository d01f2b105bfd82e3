// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Limits of this revision.

/// Page size of the MMU's smallest page.
pub const PAGE_SIZE: u64 = 4096;
/// Address spaces; number 0 is the kernel's.
pub const ADDRESS_SPACES: u32 = 16;
/// Bits of a GPU virtual address.
pub const VA_BITS: u32 = 48;
/// Engines that the register file has room for.
pub const MAX_ENGINES: u32 = 8;
/// Interrupt vectors: faults, then one an engine.
pub const MAX_VECTORS: u32 = 1 + MAX_ENGINES;
/// Smallest ring, in bytes. Sizes are powers of two.
pub const RING_MIN: u32 = 4096;
/// Largest ring, in bytes.
pub const RING_MAX: u32 = 1 << 20;
/// Largest indirect buffer, in dwords.
pub const IB_MAX_DWORDS: u32 = 1 << 20;
/// Invalidations by register that the device keeps apart. When more than these wait, it
/// invalidates everything in their place.
pub const TLB_QUEUE: u32 = 16;
/// Fault records that the device keeps before engines with another one to report wait.
pub const FAULT_QUEUE: u32 = 16;
/// Largest width, height, left edge and top edge, in pixels, of what
/// [`packet::BLIT`](super::packet::BLIT) and [`packet::TRIANGLE`](super::packet::TRIANGLE)
/// read and write.
pub const SURFACE_MAX: u32 = 16384;
/// Largest distance of a triangle's corner from the origin, along each axis, in pixels.
pub const CORNER_MAX: u32 = 32768;
