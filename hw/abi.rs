// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The numbers of the GPU's programming interface.
//!
//! The one source of every register offset, bit, packet and page-table format, compiled into the
//! driver and into softgpu alike. `docs/hardware.md` explains what they mean. All quantities are
//! little endian; sizes and addresses are in bytes unless a name says otherwise.

/// PCI identity.
pub mod pci {
    /// Vendor ID: Red Hat, Inc. (QEMU).
    pub const VENDOR: u16 = 0x1af4;
    /// Device ID, from the range that QEMU reserves for experiments.
    pub const DEVICE: u16 = 0x10f0;
    /// Display controller, 3D controller.
    pub const CLASS: u32 = 0x03_02_00;
    /// BAR of the registers and of the MSI-X table.
    pub const BAR_REGS: u32 = 0;
    /// BAR of the CPU-visible window of VRAM; 64-bit, prefetchable.
    pub const BAR_VRAM: u32 = 2;
    /// Size of BAR 0.
    pub const BAR_REGS_SIZE: usize = 0x1_0000;
    /// Offset of the MSI-X table in BAR 0.
    pub const MSIX_TABLE: u32 = 0xe000;
    /// Offset of the MSI-X pending bits in BAR 0.
    pub const MSIX_PBA: u32 = 0xf000;
    /// Number of bits of a DMA address.
    pub const DMA_BITS: u32 = 44;
}

/// Limits of this revision.
pub mod limits {
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
    /// Fault records that the device keeps before engines with another one to report wait.
    pub const FAULT_QUEUE: u32 = 16;
    /// Largest width, height, left edge and top edge, in pixels, of what
    /// [`packet::BLIT`](super::packet::BLIT) and [`packet::TRIANGLE`](super::packet::TRIANGLE)
    /// read and write.
    pub const SURFACE_MAX: u32 = 16384;
    /// Largest distance of a triangle's corner from the origin, along each axis, in pixels.
    pub const CORNER_MAX: u32 = 32768;
}

/// Registers of BAR 0, 32 bits each. A pair `_LO`, `_HI` holds 64 bits.
pub mod regs {
    /// RO. Reads [`ID_MAGIC`].
    pub const ID: usize = 0x000;
    /// "RGPU".
    pub const ID_MAGIC: u32 = 0x5550_4752;
    /// RO. Major revision in bits 31:16, minor in 15:0.
    pub const REVISION: usize = 0x004;
    /// The revision that this file describes.
    pub const REVISION_MAJOR: u32 = 1;
    /// RW. No effect; for bring-up.
    pub const SCRATCH: usize = 0x008;
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

    /// RO. Pending interrupts, a bit a vector.
    pub const INT_STATUS: usize = 0x100;
    /// W1C. Clears bits of [`INT_STATUS`].
    pub const INT_CLEAR: usize = 0x104;
    /// RW. Vectors that may raise their MSI-X message. A pending bit that becomes enabled raises
    /// it at once. Reset value 0.
    pub const INT_ENABLE: usize = 0x108;
    /// Vector and interrupt bit of faults.
    pub const VECTOR_FAULT: u32 = 0;
    /// Vector and interrupt bit of engine 0; engine n has this plus n.
    pub const VECTOR_ENGINE0: u32 = 1;

    /// RO. Number of fault records that wait, 0 to [`FAULT_QUEUE`](super::limits::FAULT_QUEUE).
    /// The registers below show the oldest one.
    pub const FAULT_COUNT: usize = 0x200;
    /// RO. What faulted; see [`fault`](super::fault).
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

    /// RW. First address that [`TLB_INVALIDATE`] is about.
    pub const TLB_START_LO: usize = 0x300;
    /// RW. High half of [`TLB_START_LO`].
    pub const TLB_START_HI: usize = 0x304;
    /// RW. Bytes from there; 0 is the whole address space.
    pub const TLB_SIZE_LO: usize = 0x308;
    /// RW. High half of [`TLB_SIZE_LO`].
    pub const TLB_SIZE_HI: usize = 0x30c;
    /// WO. Writing an address space's number forgets its cached translations of the range. No
    /// access that starts after the write is complete uses one of them, and no access that used
    /// one is still under way.
    pub const TLB_INVALIDATE: usize = 0x310;

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
    /// Fetch from the ring. The ring's registers may be written only while this is 0; a write
    /// that finds it 1 is ignored. Setting it when the ring's registers are not valid halts.
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
}

/// Classes of engines.
pub mod class {
    /// Compute and render: every packet.
    pub const RENDER: u32 = 0;
    /// Copy: every packet but those of [`packet`](super::packet) that say render.
    pub const COPY: u32 = 1;
}

/// Fields of [`regs::FAULT_INFO`].
pub mod fault {
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
}

/// Page-table entries, 64 bits each, 512 to a table, four levels of nine bits.
///
/// An address is 48 bits: 47:39 index level 3 (the root), 38:30 level 2, 29:21 level 1, 20:12
/// level 0. Entries of level 0 are always leaves; one of level 1 is a leaf with [`LEAF`](pte::LEAF) set.
pub mod pte {
    /// The entry is valid; all other bits of an entry without it are ignored.
    pub const VALID: u64 = 1 << 0;
    /// Leaf: may be written.
    pub const WRITABLE: u64 = 1 << 1;
    /// The address is a DMA address; without it and without [`SCRATCHPAD`], an offset in VRAM.
    pub const SYSTEM: u64 = 1 << 2;
    /// Leaf: no memory; reads give zeros, writes are dropped. The address is ignored.
    pub const SPARSE: u64 = 1 << 3;
    /// Level 1: maps 2 MiB, the address is aligned to that. Reserved elsewhere.
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
}

/// Packets.
///
/// A packet is a header dword and its operands: bits 7:0 opcode, 15:8 flags, 31:16 length in
/// dwords with the header. 64-bit operands are two dwords, low one first, and need no alignment
/// in the packet. Addresses are in the address space that the packets run in. A packet in a ring
/// may wrap around its end.
pub mod packet {
    /// Does nothing; any length of at least 1.
    pub const NOP: u32 = 0x00;
    /// Ring only. Writes a value when all before it is done and visible: address (64, 8-byte
    /// aligned), value (64). With [`FENCE_IRQ`], raises the engine's interrupt afterwards.
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
    /// Ring only. Writes the engine's busy time in nanoseconds, what [`regs::BUSY_LO`] shows, as
    /// 64 bits: address (64, 8-byte aligned).
    ///
    /// [`regs::BUSY_LO`]: super::regs::BUSY_LO
    pub const TIMESTAMP: u32 = 0x05;

    /// Copies: source (64), destination (64), bytes (64). Any alignment; the two must not
    /// overlap, or the destination's content is undefined.
    pub const COPY: u32 = 0x10;
    /// Fills with a 32-bit pattern: destination (64, 4-byte aligned), bytes (64, multiple of 4),
    /// pattern (32).
    pub const FILL: u32 = 0x11;
    /// Writes what follows: destination (64, 4-byte aligned), then one dword or more of data.
    pub const WRITE: u32 = 0x12;
    /// Writes the [`checksum`](super::checksum) of a range: source (64, 4-byte aligned), bytes
    /// (64, multiple of 4), destination of the 64-bit result (64, 8-byte aligned).
    pub const CHECKSUM: u32 = 0x13;

    /// Copies rows: source (64), bytes from one row to the next there (32), destination (64),
    /// bytes from one row to the next there (32), bytes of a row (32), rows (32). Any alignment;
    /// the two must not overlap, or the destination's content is undefined.
    pub const COPY_ROWS: u32 = 0x14;
    /// Adds to a 64-bit word, at once for all who access it, CPUs too: address (64, 8-byte
    /// aligned), summand (64), address for the old value (64, 8-byte aligned, 0 for none).
    pub const ATOMIC_ADD: u32 = 0x15;
    /// Replaces a 64-bit word if it has an expected value, at once for all who access it, CPUs
    /// too: address (64, 8-byte aligned), expected value (64), new value (64), address for the old
    /// value (64, 8-byte aligned, 0 for none).
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
}

/// The checksum of [`packet::CHECKSUM`]: for each little-endian dword in order, the 64-bit state,
/// 0 at first, is rotated left by 5, exclusive-ored with the dword and multiplied by
/// [`MULTIPLIER`](checksum::MULTIPLIER), modulo 2^64.
pub mod checksum {
    /// An odd number with well-mixed bits.
    pub const MULTIPLIER: u64 = 0x517c_c1b7_2722_0a95;

    /// Takes one dword into the state.
    pub const fn step(state: u64, dword: u32) -> u64 {
        (state.rotate_left(5) ^ dword as u64).wrapping_mul(MULTIPLIER)
    }
}

/// The cost model: what packets cost in device time, on every machine the same.
///
/// A packet takes [`PACKET`](cost::PACKET), the time to fetch it and the time to do it. Reads and
/// writes of a packet overlap, so the slower of the two counts. Each side takes the latency of the
/// slowest memory that it touches, the time of its bytes, in whole lines, and a walk for each page
/// that the engine's TLB does not have. Times are in nanoseconds, bandwidths in bytes a
/// microsecond.
pub mod cost {
    /// Bandwidth of VRAM.
    pub const VRAM_BANDWIDTH: u64 = 400_000;
    /// Bandwidth of the scratchpad.
    pub const SCRATCHPAD_BANDWIDTH: u64 = 1_600_000;
    /// Bandwidth of system memory: what 16 lanes of 16 GT/s leave after the packets' headers.
    pub const SYSTEM_BANDWIDTH: u64 = 25_600;
    /// Bandwidth of other GPUs' VRAM: what such a link leaves with the smaller packets that go from
    /// one endpoint to another.
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
}
