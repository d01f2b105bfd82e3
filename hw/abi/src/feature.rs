// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Bits of [`regs::FEATURES`](super::regs::FEATURES): units that a device may lack.

/// The scratchpad: [`regs::SCRATCHPAD_SIZE`](super::regs::SCRATCHPAD_SIZE) is not 0.
pub const SCRATCHPAD: u32 = 1 << 0;
/// The packets [`ATOMIC_ADD`](super::packet::ATOMIC_ADD) and
/// [`ATOMIC_SWAP`](super::packet::ATOMIC_SWAP). Without it they are bad packets.
pub const ATOMICS: u32 = 1 << 1;
/// Invalidations by register are queued and numbered: [`regs::TLB_SEQNO`](super::regs::TLB_SEQNO)
/// and [`regs::TLB_DONE`](super::regs::TLB_DONE).
pub const TLB_SEQNO: u32 = 1 << 2;
/// Bad pages of VRAM are detected and reported:
/// [`regs::POISON_COUNT`](super::regs::POISON_COUNT).
pub const POISON: u32 = 1 << 3;
/// Sparse leaves of levels 2 and 3: [`pte::LEAF`](super::pte::LEAF).
pub const LARGE_SPARSE: u32 = 1 << 4;
