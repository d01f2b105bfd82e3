// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Page-table entries, 64 bits each, 512 to a table, four levels of nine bits.
//!
//! An address is 48 bits: 47:39 index level 3 (the root), 38:30 level 2, 29:21 level 1, 20:12
//! level 0. Entries of level 0 are always leaves; one of level 1 is a leaf with [`LEAF`] set, and so
//! is one of level 2 or 3 with [`SPARSE`] as well.

/// The entry is valid; all other bits of an entry without it are ignored.
pub const VALID: u64 = 1 << 0;
/// Leaf: may be written.
pub const WRITABLE: u64 = 1 << 1;
/// The address is a DMA address; without it and without [`SCRATCHPAD`], an offset in VRAM.
pub const SYSTEM: u64 = 1 << 2;
/// Leaf: no memory; reads give zeros, writes are dropped. The address is ignored.
pub const SPARSE: u64 = 1 << 3;
/// Level 1: maps 2 MiB, the address is aligned to that. Level 2 and, not in a root, level 3: with
/// [`SPARSE`] and [`feature::LARGE_SPARSE`](super::feature::LARGE_SPARSE), a sparse 1 GiB or
/// 512 GiB. Reserved elsewhere.
pub const LEAF: u64 = 1 << 4;
/// Level 0: the 16 entries of this aligned 64 KiB map one aligned 64 KiB block with the same
/// bits, so the TLB may keep them as one. Reserved elsewhere.
pub const BLOCK_64K: u64 = 1 << 5;
/// Leaf: the address is an offset in the scratchpad, see
/// [`SCRATCHPAD_SIZE`](super::regs::SCRATCHPAD_SIZE). Excludes [`SYSTEM`]; reserved in entries
/// that point to tables.
pub const SCRATCHPAD: u64 = 1 << 6;
/// Bits of the address. Bits outside this and those above are reserved and must be 0.
pub const ADDRESS: u64 = 0x0000_ffff_ffff_f000;
/// Entries in a table.
pub const ENTRIES: usize = 512;
/// Levels; the root is level `LEVELS - 1`.
pub const LEVELS: u32 = 4;
/// Bytes that an entry of level 1 maps.
pub const BLOCK_2M: u64 = 2 << 20;
/// Bytes of a [`BLOCK_64K`].
pub const BLOCK_64K_SIZE: u64 = 64 << 10;
