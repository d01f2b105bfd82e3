// SPDX-License-Identifier: GPL-2.0

//! Where things are in the kernel's address space.

use core::ops::Range;

/// VRAM.
pub(super) const VRAM_BASE: u64 = 1 << 40;
/// The GART.
pub(super) const GART_BASE: u64 = 2 << 40;
/// The scratchpad.
pub(super) const SCRATCHPAD_BASE: u64 = 4 << 40;
/// Bytes of the GART.
pub(super) const GART_SIZE: u64 = 4 << 30;
/// The driver's own memory: rings and the like.
pub(in crate::hw) const KERNEL_BASE: u64 = 3 << 40;

/// The range of a scratchpad of this size.
pub(super) fn scratchpad(size: u64) -> Range<u64> {
    SCRATCHPAD_BASE..SCRATCHPAD_BASE + size
}

/// The range of VRAM of this size.
pub(super) fn vram(size: u64) -> Range<u64> {
    VRAM_BASE..VRAM_BASE + size
}
