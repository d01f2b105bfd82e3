// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Fields of [`regs::FAULT_INFO`](super::regs::FAULT_INFO).

/// Bits 7:0, the engine.
pub const ENGINE_SHIFT: u32 = 0;
/// Bits 15:8, the address space.
pub const AS_SHIFT: u32 = 8;
/// Bits 19:16, the access.
pub const ACCESS_SHIFT: u32 = 16;
/// Bits 27:20, the reason.
pub const REASON_SHIFT: u32 = 20;

/// Access: a packet read memory.
pub const ACCESS_READ: u32 = 0;
/// Access: a packet wrote memory.
pub const ACCESS_WRITE: u32 = 1;
/// Access: the engine fetched packets.
pub const ACCESS_FETCH: u32 = 2;

/// Reason: no valid entry on the way down the page tables.
pub const NOT_PRESENT: u32 = 1;
/// Reason: a write to a page without [`pte::WRITABLE`](super::pte::WRITABLE).
pub const NOT_WRITABLE: u32 = 2;
/// Reason: a page-table entry with reserved bits or a misplaced [`pte::LEAF`](super::pte::LEAF).
pub const BAD_ENTRY: u32 = 3;
/// Reason: the entry's address is outside VRAM or the memory that the device may reach.
pub const BAD_ADDRESS: u32 = 4;
/// Reason: the GPU virtual address has more than [`limits::VA_BITS`](super::limits::VA_BITS)
/// bits, or the access wraps.
pub const OUT_OF_RANGE: u32 = 5;
/// Reason: not a packet of this engine, a bad length or field, or one that only a ring may
/// hold; the address is the packet's.
pub const BAD_PACKET: u32 = 6;
/// Reason: an operand is not aligned as the packet asks; the address is the operand.
pub const MISALIGNED: u32 = 7;
/// Reason: an atomic beyond the device's own memory, and the AtomicOp Requester Enable bit of the
/// function's PCI Express capability is clear, or the completer supports none.
pub const NO_ATOMICS: u32 = 8;
/// Reason: a read of a bad page of VRAM, or of a page table in one.
pub const POISONED: u32 = 9;
