// SPDX-License-Identifier: GPL-2.0

//! Layout of the kernel's address space.

use core::ops::Range;

/// Start of VRAM.
pub(super) const VRAM_BASE: u64 = 1 << 40;
/// Start of the GART.
pub(super) const GART_BASE: u64 = 2 << 40;
/// Start of the scratchpad.
pub(super) const SCRATCHPAD_BASE: u64 = 4 << 40;
/// Size of the GART in bytes.
pub(super) const GART_SIZE: u64 = 4 << 30;
/// Start of the driver's own memory: rings and status pages.
pub(in crate::hw) const KERNEL_BASE: u64 = 3 << 40;

/// Returns the range of a scratchpad of this size.
pub(super) fn scratchpad(size: u64) -> Range<u64> {
    SCRATCHPAD_BASE..SCRATCHPAD_BASE + size
}

/// Returns the range of VRAM of this size.
pub(super) fn vram(size: u64) -> Range<u64> {
    VRAM_BASE..VRAM_BASE + size
}
