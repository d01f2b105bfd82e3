// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Registers of BAR 0, 32 bits each. A pair `_LO`, `_HI` holds 64 bits.

/// RO. Reads [`ID_MAGIC`].
pub const ID: usize = 0x000;
/// "RGPU".
pub const ID_MAGIC: u32 = 0x5550_4752;
/// RO. Major revision in bits 31:16, minor in 15:0.
pub const REVISION: usize = 0x004;
/// The major revision that this file describes. Another one breaks software.
pub const REVISION_MAJOR: u32 = 3;
/// The minor revision that this file describes. A later one adds to it.
pub const REVISION_MINOR: u32 = 1;
/// RW. No effect; for bring-up.
pub const SCRATCH: usize = 0x008;
/// RO. Optional units that the device has, see [`feature`](super::feature).
pub const FEATURES: usize = 0x00c;
/// RO. Size of VRAM.
pub const VRAM_SIZE_LO: usize = 0x010;
/// RO. High half of [`VRAM_SIZE_LO`].
pub const VRAM_SIZE_HI: usize = 0x014;
/// RO. Size of the part of VRAM, from its start, that BAR 2 shows.
pub const VISIBLE_SIZE_LO: usize = 0x018;
/// RO. High half of [`VISIBLE_SIZE_LO`].
pub const VISIBLE_SIZE_HI: usize = 0x01c;
/// RO. Number of engines.
pub const ENGINES: usize = 0x020;
/// RO. Number of address spaces.
pub const ADDRESS_SPACES: usize = 0x024;
/// WO. Writing [`RESET_MAGIC`] resets the device: all engines stop, all registers take their
/// reset values, the content of VRAM and of the scratchpad is
/// lost. Complete when the write is.
pub const RESET: usize = 0x028;
/// The value that [`RESET`] takes.
pub const RESET_MAGIC: u32 = 0x5253_5421;
/// RO. Number of resets since power on, by register, FLR or power management.
pub const RESET_COUNT: usize = 0x02c;
/// RO. Bytes of the scratchpad, memory on the chip that only page tables reach: a multiple of
/// 4 KiB, 0 if there is none.
pub const SCRATCHPAD_SIZE: usize = 0x030;
/// RO. Ticks a second of the GPU's clock; 0 if there is none.
pub const TIMESTAMP_HZ: usize = 0x034;
/// RO. The GPU's clock, which counts from power on, and on through resets. It may carry between
/// reads of the halves.
pub const TIMESTAMP_LO: usize = 0x038;
/// RO. High half of [`TIMESTAMP_LO`].
pub const TIMESTAMP_HI: usize = 0x03c;

/// RO. Pending interrupts, a bit a vector.
pub const INT_STATUS: usize = 0x100;
/// W1C. Clears bits of [`INT_STATUS`].
pub const INT_CLEAR: usize = 0x104;
/// RW. Vectors that may raise their MSI-X message. A pending bit that becomes enabled raises
/// it at once. Reset value 0.
pub const INT_ENABLE: usize = 0x108;
/// Vector and interrupt bit of faults, and of bad pages.
pub const VECTOR_FAULT: u32 = 0;
/// Vector and interrupt bit of engine 0; engine n has this plus n.
pub const VECTOR_ENGINE0: u32 = 1;

/// RO. Number of queued fault records, 0 to [`FAULT_QUEUE`](super::limits::FAULT_QUEUE).
/// The registers below show the oldest one.
pub const FAULT_COUNT: usize = 0x200;
/// RO. Engine, address space, access and reason; see [`fault`](super::fault).
pub const FAULT_INFO: usize = 0x204;
/// RO. GPU virtual address of the access.
pub const FAULT_ADDR_LO: usize = 0x208;
/// RO. High half of [`FAULT_ADDR_LO`].
pub const FAULT_ADDR_HI: usize = 0x20c;
/// RO. Tag of the indirect buffer that faulted; 0 when the ring itself did.
pub const FAULT_TAG_LO: usize = 0x210;
/// RO. High half of [`FAULT_TAG_LO`].
pub const FAULT_TAG_HI: usize = 0x214;
/// WO. Any write drops the oldest record.
pub const FAULT_POP: usize = 0x218;

/// RO. Number of queued reports of bad pages of VRAM. Each new one raises the interrupt
/// [`VECTOR_FAULT`]; after a reset all are reported anew.
pub const POISON_COUNT: usize = 0x220;
/// RO. Offset in VRAM of the page that the oldest report is about.
pub const POISON_ADDR_LO: usize = 0x228;
/// RO. High half of [`POISON_ADDR_LO`].
pub const POISON_ADDR_HI: usize = 0x22c;
/// WO. Any write drops the oldest report.
pub const POISON_POP: usize = 0x230;

/// RW. First address of the range of [`TLB_INVALIDATE`].
pub const TLB_START_LO: usize = 0x300;
/// RW. High half of [`TLB_START_LO`].
pub const TLB_START_HI: usize = 0x304;
/// RW. Bytes from there; 0 is the whole address space.
pub const TLB_SIZE_LO: usize = 0x308;
/// RW. High half of [`TLB_SIZE_LO`].
pub const TLB_SIZE_HI: usize = 0x30c;
/// WO. Writing an address space's number queues an invalidation of its range. It forgets the
/// cached translations there and the cached pointers to tables; see [`TLB_DONE`].
pub const TLB_INVALIDATE: usize = 0x310;
/// RW. The number of the invalidation that [`TLB_INVALIDATE`] queues next.
pub const TLB_SEQNO: usize = 0x314;
/// RO. The number of the invalidation that was completed last; they are completed in order. No
/// access that starts after that uses what was forgotten, and none that used it is under way.
pub const TLB_DONE: usize = 0x318;

/// Root of address space 0; space n is at this plus n times [`AS_STRIDE`].
pub const AS_BASE: usize = 0x400;
/// Bytes from one address space's registers to the next one's.
pub const AS_STRIDE: usize = 0x10;
/// RW. Root page table: a page-table entry of the top level, see [`pte`](super::pte); not
/// valid is an empty address space. Offset in the address space's registers.
pub const AS_ROOT_LO: usize = 0x0;
/// RW. High half of [`AS_ROOT_LO`]; writing it makes the pair take effect and forgets all
/// cached translations of the space.
pub const AS_ROOT_HI: usize = 0x4;

/// Registers of engine 0; engine n has them at this plus n times [`ENGINE_STRIDE`].
pub const ENGINE_BASE: usize = 0x1000;
/// Bytes from one engine's registers to the next one's.
pub const ENGINE_STRIDE: usize = 0x100;
/// RO. [`class`](super::class) of the engine. Offset in the engine's registers, as below.
pub const ENGINE_CLASS: usize = 0x00;
/// RW. [`CONTROL_ENABLE`], [`CONTROL_RESET`].
pub const ENGINE_CONTROL: usize = 0x04;
/// Fetch from the ring. The ring's registers may be written only while this and [`STATUS_BUSY`]
/// are 0; another write is ignored. Setting it when the ring's registers are not valid halts.
pub const CONTROL_ENABLE: u32 = 1 << 0;
/// Stops the engine after its current memory access, clears ENABLE, HALTED, head and tail.
/// Reads 0. Complete when the write is.
pub const CONTROL_RESET: u32 = 1 << 1;
/// RO. [`STATUS_BUSY`], [`STATUS_HALTED`].
pub const ENGINE_STATUS: usize = 0x08;
/// The engine has packets to do.
pub const STATUS_BUSY: u32 = 1 << 0;
/// The ring faulted or held a bad packet. The engine does nothing until it is reset.
pub const STATUS_HALTED: u32 = 1 << 1;
/// RW. Bytes of the ring, a power of two.
pub const RING_SIZE: usize = 0x0c;
/// RW. Address of the ring in address space 0, 4 KiB aligned.
pub const RING_BASE_LO: usize = 0x10;
/// RW. High half of [`RING_BASE_LO`].
pub const RING_BASE_HI: usize = 0x14;
/// RO. Offset in bytes of the packet that the engine does or will do next.
pub const RING_HEAD: usize = 0x18;
/// RO. Offset in bytes of the end of the packets, as the doorbell set it.
pub const RING_TAIL: usize = 0x1c;
/// RW. Address in space 0, 8-byte aligned, where the engine writes [`RING_HEAD`] as 64 bits
/// after each packet of the ring. 0: it does not.
pub const WRITEBACK_LO: usize = 0x20;
/// RW. High half of [`WRITEBACK_LO`].
pub const WRITEBACK_HI: usize = 0x24;
/// RO. Nanoseconds that the engine was busy since its reset or the device's, as the
/// [`cost`](super::cost) model counts them. Reading it latches [`BUSY_HI`].
pub const BUSY_LO: usize = 0x28;
/// RO. High half of [`BUSY_LO`] when that was read last.
pub const BUSY_HI: usize = 0x2c;

/// WO. Doorbell of engine 0; engine n has it at this plus 4 n. Writing sets the ring's tail:
/// an offset in bytes, a multiple of 4, below the ring's size.
pub const DOORBELL: usize = 0x2000;
