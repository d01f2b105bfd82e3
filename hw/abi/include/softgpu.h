/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The programming interface of softgpu, a virtual discrete GPU, in numbers.
 *
 * The one source of every register offset, bit, packet and page-table
 * format. All quantities are little endian; sizes and addresses are in bytes
 * unless a name says otherwise.
 *
 * Generated from the crate softgpu-abi by "make generate".
 */
#ifndef SOFTGPU_H
#define SOFTGPU_H

#include <linux/types.h>

/*
 * The checksum of SOFTGPU_PACKET_CHECKSUM: the CRC of
 * SOFTGPU_CHECKSUM_POLYNOMIAL over the bytes in the order of their
 * addresses. Bits are taken from the least significant one up, the register
 * is 0 at first and is the result, not inverted, in bits 31:0. Zeros have
 * the checksum 0. It is crc32c() of Linux with a first argument of 0; iSCSI
 * (RFC 3720) inverts the register before and after.
 */

/*
 * Castagnoli's polynomial of degree 32, without its highest term; bit 31 is
 * the term of degree 0.
 */
#define SOFTGPU_CHECKSUM_POLYNOMIAL		0x82f63b78U

/*
 * Classes of engines.
 */

/* Compute and render: every packet. */
#define SOFTGPU_CLASS_RENDER			0
/* Copy: every packet but those of render engines. */
#define SOFTGPU_CLASS_COPY			1

/*
 * The cost model: the device time of packets, the same on every machine.
 *
 * A packet takes SOFTGPU_COST_PACKET, the time to fetch it and the time to
 * do it. Reads and writes of a packet overlap, so the slower of the two
 * counts. Each side takes the latency of the slowest memory that it touches,
 * the time of its bytes, in whole lines, and a walk for each page that the
 * engine's TLB does not have. Times are in nanoseconds, bandwidths in bytes
 * a microsecond.
 */

/* Bandwidth of VRAM. */
#define SOFTGPU_COST_VRAM_BANDWIDTH		400000ULL
/* Bandwidth of the scratchpad. */
#define SOFTGPU_COST_SCRATCHPAD_BANDWIDTH	1600000ULL
/*
 * Bandwidth of system memory: 16 lanes of 16 GT/s without the overhead of
 * TLP headers.
 */
#define SOFTGPU_COST_SYSTEM_BANDWIDTH		25600ULL
/*
 * Bandwidth of other GPUs' VRAM: such a link with the smaller TLPs between
 * endpoints.
 */
#define SOFTGPU_COST_PEER_BANDWIDTH		22400ULL
/* Latency of VRAM. */
#define SOFTGPU_COST_VRAM_LATENCY		200ULL
/* Latency of the scratchpad. */
#define SOFTGPU_COST_SCRATCHPAD_LATENCY		20ULL
/* Latency of system memory. */
#define SOFTGPU_COST_SYSTEM_LATENCY		800ULL
/* Latency of other GPUs' VRAM: two links and the switch between them. */
#define SOFTGPU_COST_PEER_LATENCY		1100ULL
/*
 * Bytes that memory is accessed in: every line that a packet touches counts
 * as a whole.
 */
#define SOFTGPU_COST_LINE			64ULL
/* To decode a packet and start on it. */
#define SOFTGPU_COST_PACKET			50ULL
/* A SOFTGPU_PACKET_TLB_INVALIDATE, beyond that. */
#define SOFTGPU_COST_TLB_INVALIDATE		500ULL
/* Translations that an engine keeps, of whatever page size. */
#define SOFTGPU_COST_TLB_ENTRIES		256
/*
 * Of those, in a set; a hash of its address and space tells the set of a
 * page.
 */
#define SOFTGPU_COST_TLB_WAYS			4
/*
 * A page walk with the last table in VRAM. Walks overlap with each other and
 * with the transfer, so this is less than the latency.
 */
#define SOFTGPU_COST_WALK_VRAM			40ULL
/* A page walk with the last table in system memory. */
#define SOFTGPU_COST_WALK_SYSTEM		120ULL

/* Picoseconds that bytes take at bandwidth. */
static inline __u64 softgpu_cost_picoseconds(__u64 bytes, __u64 bandwidth)
{
	return bytes / bandwidth * 1000000 + bytes % bandwidth * 1000000 / bandwidth;
}

/*
 * Fields of SOFTGPU_REGS_FAULT_INFO.
 */

/* Bits 7:0, the engine. */
#define SOFTGPU_FAULT_ENGINE_SHIFT		0
/* Bits 15:8, the address space. */
#define SOFTGPU_FAULT_AS_SHIFT			8
/* Bits 19:16, the access. */
#define SOFTGPU_FAULT_ACCESS_SHIFT		16
/* Bits 27:20, the reason. */
#define SOFTGPU_FAULT_REASON_SHIFT		20
/* Access: a packet read memory. */
#define SOFTGPU_FAULT_ACCESS_READ		0
/* Access: a packet wrote memory. */
#define SOFTGPU_FAULT_ACCESS_WRITE		1
/* Access: the engine fetched packets. */
#define SOFTGPU_FAULT_ACCESS_FETCH		2
/* Reason: no valid entry on the way down the page tables. */
#define SOFTGPU_FAULT_NOT_PRESENT		1
/* Reason: a write to a page without SOFTGPU_PTE_WRITABLE. */
#define SOFTGPU_FAULT_NOT_WRITABLE		2
/*
 * Reason: a page-table entry with reserved bits or a misplaced
 * SOFTGPU_PTE_LEAF.
 */
#define SOFTGPU_FAULT_BAD_ENTRY			3
/*
 * Reason: the entry's address is outside VRAM or the memory that the device
 * may reach.
 */
#define SOFTGPU_FAULT_BAD_ADDRESS		4
/*
 * Reason: the GPU virtual address has more than SOFTGPU_LIMITS_VA_BITS bits,
 * or the access wraps.
 */
#define SOFTGPU_FAULT_OUT_OF_RANGE		5
/*
 * Reason: not a packet of this engine, a bad length or field, or one that
 * only a ring may hold; the address is the packet's.
 */
#define SOFTGPU_FAULT_BAD_PACKET		6
/*
 * Reason: an operand is not aligned as the packet asks; the address is the
 * operand.
 */
#define SOFTGPU_FAULT_MISALIGNED		7
/*
 * Reason: an atomic beyond the device's own memory, and the AtomicOp
 * Requester Enable bit of the function's PCI Express capability is clear, or
 * the completer supports none.
 */
#define SOFTGPU_FAULT_NO_ATOMICS		8
/* Reason: a read of a bad page of VRAM, or of a page table in one. */
#define SOFTGPU_FAULT_POISONED			9

/*
 * Bits of SOFTGPU_REGS_FEATURES: units that a device may lack.
 */

/* The scratchpad: SOFTGPU_REGS_SCRATCHPAD_SIZE is not 0. */
#define SOFTGPU_FEATURE_SCRATCHPAD		0x1
/*
 * The packets SOFTGPU_PACKET_ATOMIC_ADD and SOFTGPU_PACKET_ATOMIC_SWAP.
 * Without it they are bad packets.
 */
#define SOFTGPU_FEATURE_ATOMICS			0x2
/*
 * Invalidations by register are queued and numbered: SOFTGPU_REGS_TLB_SEQNO
 * and SOFTGPU_REGS_TLB_DONE.
 */
#define SOFTGPU_FEATURE_TLB_SEQNO		0x4
/* Bad pages of VRAM are detected and reported: SOFTGPU_REGS_POISON_COUNT. */
#define SOFTGPU_FEATURE_POISON			0x8
/* Sparse leaves of levels 2 and 3: SOFTGPU_PTE_LEAF. */
#define SOFTGPU_FEATURE_LARGE_SPARSE		0x10

/*
 * Limits of this revision.
 */

/* Page size of the MMU's smallest page. */
#define SOFTGPU_LIMITS_PAGE_SIZE		4096ULL
/* Address spaces; number 0 is the kernel's. */
#define SOFTGPU_LIMITS_ADDRESS_SPACES		16
/* Bits of a GPU virtual address. */
#define SOFTGPU_LIMITS_VA_BITS			48
/* Engines that the register file has room for. */
#define SOFTGPU_LIMITS_MAX_ENGINES		8
/* Interrupt vectors: faults, then one an engine. */
#define SOFTGPU_LIMITS_MAX_VECTORS		9
/* Smallest ring, in bytes. Sizes are powers of two. */
#define SOFTGPU_LIMITS_RING_MIN			4096
/* Largest ring, in bytes. */
#define SOFTGPU_LIMITS_RING_MAX			0x100000
/* Largest indirect buffer, in dwords. */
#define SOFTGPU_LIMITS_IB_MAX_DWORDS		0x100000
/*
 * Invalidations by register that the device keeps apart. When more than
 * these wait, it invalidates everything in their place.
 */
#define SOFTGPU_LIMITS_TLB_QUEUE		16
/*
 * Fault records that the device keeps before engines with another one to
 * report wait.
 */
#define SOFTGPU_LIMITS_FAULT_QUEUE		16
/*
 * Largest width, height, left edge and top edge, in pixels, of what
 * SOFTGPU_PACKET_BLIT and SOFTGPU_PACKET_TRIANGLE read and write.
 */
#define SOFTGPU_LIMITS_SURFACE_MAX		16384
/*
 * Largest distance of a triangle's corner from the origin, along each axis,
 * in pixels.
 */
#define SOFTGPU_LIMITS_CORNER_MAX		32768

/*
 * Packets.
 *
 * A packet is a header dword and its operands: bits 7:0 opcode, 15:8 flags,
 * 31:16 length in dwords with the header. 64-bit operands are two dwords,
 * low one first, and need no alignment in the packet. Addresses are in the
 * address space that the packets run in. A packet in a ring may wrap around
 * its end.
 */

/* Does nothing; any length of at least 1. */
#define SOFTGPU_PACKET_NOP			0x00
/*
 * Ring only. Writes a value when all packets before it are complete and
 * their writes visible: address (64, 8-byte aligned), value (64). With
 * SOFTGPU_PACKET_FENCE_IRQ, raises the engine's interrupt afterwards.
 */
#define SOFTGPU_PACKET_FENCE			0x01
/* Flag of SOFTGPU_PACKET_FENCE. */
#define SOFTGPU_PACKET_FENCE_IRQ		0x1
/*
 * Ring only. Runs an indirect buffer: address space (32), dwords (32),
 * address (64, 4-byte aligned), tag (64). If it faults, the rest of it is
 * skipped, the fault is reported with the tag before any later packet of the
 * ring starts, and the ring goes on.
 */
#define SOFTGPU_PACKET_INDIRECT			0x02
/*
 * Ring only. As SOFTGPU_REGS_TLB_INVALIDATE: address space (32), reserved
 * (32, 0), start (64), size (64).
 */
#define SOFTGPU_PACKET_TLB_INVALIDATE		0x03
/*
 * Ring only. Waits until the 64-bit word at an address (64, 8-byte aligned)
 * is at least a value (64), unsigned.
 */
#define SOFTGPU_PACKET_WAIT			0x04
/*
 * Ring only. Writes the engine's busy time in nanoseconds, the value of
 * SOFTGPU_REGS_BUSY_LO, as 64 bits: address (64, 8-byte aligned).
 */
#define SOFTGPU_PACKET_TIMESTAMP		0x05
/*
 * Copies: source (64), destination (64), bytes (64). Any alignment; the two
 * must not overlap, or the destination's content is undefined.
 */
#define SOFTGPU_PACKET_COPY			0x10
/*
 * Fills with a 32-bit pattern: destination (64, 4-byte aligned), bytes (64,
 * multiple of 4), pattern (32).
 */
#define SOFTGPU_PACKET_FILL			0x11
/*
 * Writes immediate data: destination (64, 4-byte aligned), then one dword or
 * more of data.
 */
#define SOFTGPU_PACKET_WRITE			0x12
/*
 * Writes the checksum of a range: source (64, 4-byte aligned), bytes (64,
 * multiple of 4), destination of the 64-bit result (64, 8-byte aligned).
 */
#define SOFTGPU_PACKET_CHECKSUM			0x13
/*
 * Copies rows: source (64), bytes from one row to the next there (32),
 * destination (64), bytes from one row to the next there (32), bytes of a
 * row (32), rows (32). Any alignment; the two must not overlap, or the
 * destination's content is undefined.
 */
#define SOFTGPU_PACKET_COPY_ROWS		0x14
/*
 * Adds to a 64-bit word, atomically for engines and CPUs: address (64, 8-
 * byte aligned), summand (64), address for the old value (64, 8-byte
 * aligned, 0 for none).
 */
#define SOFTGPU_PACKET_ATOMIC_ADD		0x15
/*
 * Compares a 64-bit word with an expected value and replaces it if they are
 * equal, atomically for engines and CPUs: address (64, 8-byte aligned),
 * expected value (64), new value (64), address for the old value (64, 8-byte
 * aligned, 0 for none).
 */
#define SOFTGPU_PACKET_ATOMIC_SWAP		0x16
/*
 * Render. Fills a rectangle of a surface of 32-bit pixels: surface (64, 4-
 * byte aligned), bytes from one row to the next (32, multiple of 4), left
 * edge in pixels (32), top edge in rows (32), width in pixels (32), height
 * in rows (32), pixel (32).
 */
#define SOFTGPU_PACKET_RECT_FILL		0x20
/*
 * Render. Draws a rectangle of one surface into a rectangle of another, of
 * 32-bit pixels, stretched: each pixel is the nearest one. Twice, for source
 * and destination: surface (64, 4-byte aligned), bytes from one row to the
 * next (32, multiple of 4), left edge (32), top edge (32), width (32),
 * height (32), each at most SOFTGPU_LIMITS_SURFACE_MAX. Flag:
 * SOFTGPU_PACKET_BLEND.
 */
#define SOFTGPU_PACKET_BLIT			0x21
/*
 * Render. Draws a triangle: surface (64, 4-byte aligned), bytes from one row
 * to the next (32, multiple of 4), width (32) and height (32) of the
 * surface, each at most SOFTGPU_LIMITS_SURFACE_MAX, and of each corner x
 * (32) and y (32), signed, in units of 1/256 of a pixel, and the pixel (32)
 * there. Flag: SOFTGPU_PACKET_BLEND.
 */
#define SOFTGPU_PACKET_TRIANGLE			0x22
/*
 * Flag of SOFTGPU_PACKET_BLIT and SOFTGPU_PACKET_TRIANGLE: pixels are mixed
 * with what is there, in proportion to their bits 31:24.
 */
#define SOFTGPU_PACKET_BLEND			0x1

/* Makes a header. */
static inline __u32 softgpu_packet_header(__u32 opcode, __u32 flags, __u32 dwords)
{
	return (opcode & 0xff) | ((flags & 0xff) << 8) | (dwords << 16);
}

/*
 * Lengths in dwords, header included, of the packets that have a fixed one.
 */

/* Of SOFTGPU_PACKET_FENCE. */
#define SOFTGPU_PACKET_LEN_FENCE		5
/* Of SOFTGPU_PACKET_INDIRECT. */
#define SOFTGPU_PACKET_LEN_INDIRECT		7
/* Of SOFTGPU_PACKET_TLB_INVALIDATE. */
#define SOFTGPU_PACKET_LEN_TLB_INVALIDATE	7
/* Of SOFTGPU_PACKET_WAIT. */
#define SOFTGPU_PACKET_LEN_WAIT			5
/* Of SOFTGPU_PACKET_TIMESTAMP. */
#define SOFTGPU_PACKET_LEN_TIMESTAMP		3
/* Of SOFTGPU_PACKET_COPY. */
#define SOFTGPU_PACKET_LEN_COPY			7
/* Of SOFTGPU_PACKET_FILL. */
#define SOFTGPU_PACKET_LEN_FILL			6
/* Of SOFTGPU_PACKET_CHECKSUM. */
#define SOFTGPU_PACKET_LEN_CHECKSUM		7
/* Of SOFTGPU_PACKET_RECT_FILL. */
#define SOFTGPU_PACKET_LEN_RECT_FILL		9
/* Of SOFTGPU_PACKET_COPY_ROWS. */
#define SOFTGPU_PACKET_LEN_COPY_ROWS		9
/* Of SOFTGPU_PACKET_ATOMIC_ADD. */
#define SOFTGPU_PACKET_LEN_ATOMIC_ADD		7
/* Of SOFTGPU_PACKET_ATOMIC_SWAP. */
#define SOFTGPU_PACKET_LEN_ATOMIC_SWAP		9
/* Of SOFTGPU_PACKET_BLIT. */
#define SOFTGPU_PACKET_LEN_BLIT			15
/* Of SOFTGPU_PACKET_TRIANGLE. */
#define SOFTGPU_PACKET_LEN_TRIANGLE		15
/* Shortest SOFTGPU_PACKET_WRITE. */
#define SOFTGPU_PACKET_LEN_WRITE_MIN		4
/* Longest packet. */
#define SOFTGPU_PACKET_LEN_MAX			0xffff

/*
 * PCI identity.
 */

/* Vendor ID: Red Hat, Inc. (QEMU). */
#define SOFTGPU_PCI_VENDOR			0x1af4
/* Device ID, from the range that QEMU reserves for experiments. */
#define SOFTGPU_PCI_DEVICE			0x10f0
/* Display controller, 3D controller. */
#define SOFTGPU_PCI_CLASS			0x030200
/* BAR of the registers and of the MSI-X table. */
#define SOFTGPU_PCI_BAR_REGS			0
/* BAR of the CPU-visible window of VRAM; 64-bit, prefetchable. */
#define SOFTGPU_PCI_BAR_VRAM			2
/* Size of BAR 0. */
#define SOFTGPU_PCI_BAR_REGS_SIZE		0x10000
/* Offset of the MSI-X table in BAR 0. */
#define SOFTGPU_PCI_MSIX_TABLE			0xe000
/* Offset of the MSI-X pending bits in BAR 0. */
#define SOFTGPU_PCI_MSIX_PBA			0xf000
/* Number of bits of a DMA address. */
#define SOFTGPU_PCI_DMA_BITS			44

/*
 * Page-table entries, 64 bits each, 512 to a table, four levels of nine
 * bits.
 *
 * An address is 48 bits: 47:39 index level 3 (the root), 38:30 level 2,
 * 29:21 level 1, 20:12 level 0. Entries of level 0 are always leaves; one of
 * level 1 is a leaf with SOFTGPU_PTE_LEAF set, and so is one of level 2 or 3
 * with SOFTGPU_PTE_SPARSE as well.
 */

/* The entry is valid; all other bits of an entry without it are ignored. */
#define SOFTGPU_PTE_VALID			0x1ULL
/* Leaf: may be written. */
#define SOFTGPU_PTE_WRITABLE			0x2ULL
/*
 * The address is a DMA address; without it and without
 * SOFTGPU_PTE_SCRATCHPAD, an offset in VRAM.
 */
#define SOFTGPU_PTE_SYSTEM			0x4ULL
/*
 * Leaf: no memory; reads give zeros, writes are dropped. The address is
 * ignored.
 */
#define SOFTGPU_PTE_SPARSE			0x8ULL
/*
 * Level 1: maps 2 MiB, the address is aligned to that. Level 2 and, not in a
 * root, level 3: with SOFTGPU_PTE_SPARSE and SOFTGPU_FEATURE_LARGE_SPARSE, a
 * sparse 1 GiB or 512 GiB. Reserved elsewhere.
 */
#define SOFTGPU_PTE_LEAF			0x10ULL
/*
 * Level 0: the 16 entries of this aligned 64 KiB map one aligned 64 KiB
 * block with the same bits, so the TLB may keep them as one. Reserved
 * elsewhere.
 */
#define SOFTGPU_PTE_BLOCK_64K			0x20ULL
/*
 * Leaf: the address is an offset in the scratchpad, see
 * SOFTGPU_REGS_SCRATCHPAD_SIZE. Excludes SOFTGPU_PTE_SYSTEM; reserved in
 * entries that point to tables.
 */
#define SOFTGPU_PTE_SCRATCHPAD			0x40ULL
/*
 * Bits of the address. Bits outside this and those above are reserved and
 * must be 0.
 */
#define SOFTGPU_PTE_ADDRESS			0x0000fffffffff000ULL
/* Entries in a table. */
#define SOFTGPU_PTE_ENTRIES			512
/* Levels; the root is level LEVELS - 1. */
#define SOFTGPU_PTE_LEVELS			4
/* Bytes that an entry of level 1 maps. */
#define SOFTGPU_PTE_BLOCK_2M			0x200000ULL
/* Bytes of a SOFTGPU_PTE_BLOCK_64K. */
#define SOFTGPU_PTE_BLOCK_64K_SIZE		0x10000ULL

/*
 * Registers of BAR 0, 32 bits each. A pair _LO, _HI holds 64 bits.
 */

/* RO. Reads SOFTGPU_REGS_ID_MAGIC. */
#define SOFTGPU_REGS_ID				0x000
/* "RGPU". */
#define SOFTGPU_REGS_ID_MAGIC			0x55504752
/* RO. Major revision in bits 31:16, minor in 15:0. */
#define SOFTGPU_REGS_REVISION			0x004
/*
 * The major revision that this file describes. Another one breaks software.
 */
#define SOFTGPU_REGS_REVISION_MAJOR		3
/* The minor revision that this file describes. A later one adds to it. */
#define SOFTGPU_REGS_REVISION_MINOR		1
/* RW. No effect; for bring-up. */
#define SOFTGPU_REGS_SCRATCH			0x008
/* RO. Optional units that the device has, see feature. */
#define SOFTGPU_REGS_FEATURES			0x00c
/* RO. Size of VRAM. */
#define SOFTGPU_REGS_VRAM_SIZE_LO		0x010
/* RO. High half of SOFTGPU_REGS_VRAM_SIZE_LO. */
#define SOFTGPU_REGS_VRAM_SIZE_HI		0x014
/* RO. Size of the part of VRAM, from its start, that BAR 2 shows. */
#define SOFTGPU_REGS_VISIBLE_SIZE_LO		0x018
/* RO. High half of SOFTGPU_REGS_VISIBLE_SIZE_LO. */
#define SOFTGPU_REGS_VISIBLE_SIZE_HI		0x01c
/* RO. Number of engines. */
#define SOFTGPU_REGS_ENGINES			0x020
/* RO. Number of address spaces. */
#define SOFTGPU_REGS_ADDRESS_SPACES		0x024
/*
 * WO. Writing SOFTGPU_REGS_RESET_MAGIC resets the device: all engines stop,
 * all registers take their reset values, the content of VRAM and of the
 * scratchpad is lost. Complete when the write is.
 */
#define SOFTGPU_REGS_RESET			0x028
/* The value that SOFTGPU_REGS_RESET takes. */
#define SOFTGPU_REGS_RESET_MAGIC		0x52535421
/*
 * RO. Number of resets since power on, by register, FLR or power management.
 */
#define SOFTGPU_REGS_RESET_COUNT		0x02c
/*
 * RO. Bytes of the scratchpad, memory on the chip that only page tables
 * reach: a multiple of 4 KiB, 0 if there is none.
 */
#define SOFTGPU_REGS_SCRATCHPAD_SIZE		0x030
/* RO. Ticks a second of the GPU's clock; 0 if there is none. */
#define SOFTGPU_REGS_TIMESTAMP_HZ		0x034
/*
 * RO. The GPU's clock, which counts from power on, and on through resets. It
 * may carry between reads of the halves.
 */
#define SOFTGPU_REGS_TIMESTAMP_LO		0x038
/* RO. High half of SOFTGPU_REGS_TIMESTAMP_LO. */
#define SOFTGPU_REGS_TIMESTAMP_HI		0x03c
/* RO. Pending interrupts, a bit a vector. */
#define SOFTGPU_REGS_INT_STATUS			0x100
/* W1C. Clears bits of SOFTGPU_REGS_INT_STATUS. */
#define SOFTGPU_REGS_INT_CLEAR			0x104
/*
 * RW. Vectors that may raise their MSI-X message. A pending bit that becomes
 * enabled raises it at once. Reset value 0.
 */
#define SOFTGPU_REGS_INT_ENABLE			0x108
/* Vector and interrupt bit of faults, and of bad pages. */
#define SOFTGPU_REGS_VECTOR_FAULT		0
/* Vector and interrupt bit of engine 0; engine n has this plus n. */
#define SOFTGPU_REGS_VECTOR_ENGINE0		1
/*
 * RO. Number of queued fault records, 0 to SOFTGPU_LIMITS_FAULT_QUEUE. The
 * registers below show the oldest one.
 */
#define SOFTGPU_REGS_FAULT_COUNT		0x200
/* RO. Engine, address space, access and reason; see fault. */
#define SOFTGPU_REGS_FAULT_INFO			0x204
/* RO. GPU virtual address of the access. */
#define SOFTGPU_REGS_FAULT_ADDR_LO		0x208
/* RO. High half of SOFTGPU_REGS_FAULT_ADDR_LO. */
#define SOFTGPU_REGS_FAULT_ADDR_HI		0x20c
/*
 * RO. Tag of the indirect buffer that faulted; 0 when the ring itself did.
 */
#define SOFTGPU_REGS_FAULT_TAG_LO		0x210
/* RO. High half of SOFTGPU_REGS_FAULT_TAG_LO. */
#define SOFTGPU_REGS_FAULT_TAG_HI		0x214
/* WO. Any write drops the oldest record. */
#define SOFTGPU_REGS_FAULT_POP			0x218
/*
 * RO. Number of queued reports of bad pages of VRAM. Each new one raises the
 * interrupt SOFTGPU_REGS_VECTOR_FAULT; after a reset all are reported anew.
 */
#define SOFTGPU_REGS_POISON_COUNT		0x220
/* RO. Offset in VRAM of the page that the oldest report is about. */
#define SOFTGPU_REGS_POISON_ADDR_LO		0x228
/* RO. High half of SOFTGPU_REGS_POISON_ADDR_LO. */
#define SOFTGPU_REGS_POISON_ADDR_HI		0x22c
/* WO. Any write drops the oldest report. */
#define SOFTGPU_REGS_POISON_POP			0x230
/* RW. First address of the range of SOFTGPU_REGS_TLB_INVALIDATE. */
#define SOFTGPU_REGS_TLB_START_LO		0x300
/* RW. High half of SOFTGPU_REGS_TLB_START_LO. */
#define SOFTGPU_REGS_TLB_START_HI		0x304
/* RW. Bytes from there; 0 is the whole address space. */
#define SOFTGPU_REGS_TLB_SIZE_LO		0x308
/* RW. High half of SOFTGPU_REGS_TLB_SIZE_LO. */
#define SOFTGPU_REGS_TLB_SIZE_HI		0x30c
/*
 * WO. Writing an address space's number queues an invalidation of its range.
 * It forgets the cached translations there and the cached pointers to
 * tables; see SOFTGPU_REGS_TLB_DONE.
 */
#define SOFTGPU_REGS_TLB_INVALIDATE		0x310
/*
 * RW. The number of the invalidation that SOFTGPU_REGS_TLB_INVALIDATE queues
 * next.
 */
#define SOFTGPU_REGS_TLB_SEQNO			0x314
/*
 * RO. The number of the invalidation that was completed last; they are
 * completed in order. No access that starts after that uses what was
 * forgotten, and none that used it is under way.
 */
#define SOFTGPU_REGS_TLB_DONE			0x318
/*
 * Root of address space 0; space n is at this plus n times
 * SOFTGPU_REGS_AS_STRIDE.
 */
#define SOFTGPU_REGS_AS_BASE			0x400
/* Bytes from one address space's registers to the next one's. */
#define SOFTGPU_REGS_AS_STRIDE			0x10
/*
 * RW. Root page table: a page-table entry of the top level, see pte; not
 * valid is an empty address space. Offset in the address space's registers.
 */
#define SOFTGPU_REGS_AS_ROOT_LO			0x0
/*
 * RW. High half of SOFTGPU_REGS_AS_ROOT_LO; writing it makes the pair take
 * effect and forgets all cached translations of the space.
 */
#define SOFTGPU_REGS_AS_ROOT_HI			0x4
/*
 * Registers of engine 0; engine n has them at this plus n times
 * SOFTGPU_REGS_ENGINE_STRIDE.
 */
#define SOFTGPU_REGS_ENGINE_BASE		0x1000
/* Bytes from one engine's registers to the next one's. */
#define SOFTGPU_REGS_ENGINE_STRIDE		0x100
/* RO. class of the engine. Offset in the engine's registers, as below. */
#define SOFTGPU_REGS_ENGINE_CLASS		0x00
/* RW. SOFTGPU_REGS_CONTROL_ENABLE, SOFTGPU_REGS_CONTROL_RESET. */
#define SOFTGPU_REGS_ENGINE_CONTROL		0x04
/*
 * Fetch from the ring. The ring's registers may be written only while this
 * and SOFTGPU_REGS_STATUS_BUSY are 0; another write is ignored. Setting it
 * when the ring's registers are not valid halts.
 */
#define SOFTGPU_REGS_CONTROL_ENABLE		0x1
/*
 * Stops the engine after its current memory access, clears ENABLE, HALTED,
 * head and tail. Reads 0. Complete when the write is.
 */
#define SOFTGPU_REGS_CONTROL_RESET		0x2
/* RO. SOFTGPU_REGS_STATUS_BUSY, SOFTGPU_REGS_STATUS_HALTED. */
#define SOFTGPU_REGS_ENGINE_STATUS		0x08
/* The engine has packets to do. */
#define SOFTGPU_REGS_STATUS_BUSY		0x1
/*
 * The ring faulted or held a bad packet. The engine does nothing until it is
 * reset.
 */
#define SOFTGPU_REGS_STATUS_HALTED		0x2
/* RW. Bytes of the ring, a power of two. */
#define SOFTGPU_REGS_RING_SIZE			0x0c
/* RW. Address of the ring in address space 0, 4 KiB aligned. */
#define SOFTGPU_REGS_RING_BASE_LO		0x10
/* RW. High half of SOFTGPU_REGS_RING_BASE_LO. */
#define SOFTGPU_REGS_RING_BASE_HI		0x14
/* RO. Offset in bytes of the packet that the engine does or will do next. */
#define SOFTGPU_REGS_RING_HEAD			0x18
/* RO. Offset in bytes of the end of the packets, as the doorbell set it. */
#define SOFTGPU_REGS_RING_TAIL			0x1c
/*
 * RW. Address in space 0, 8-byte aligned, where the engine writes
 * SOFTGPU_REGS_RING_HEAD as 64 bits after each packet of the ring. 0: it
 * does not.
 */
#define SOFTGPU_REGS_WRITEBACK_LO		0x20
/* RW. High half of SOFTGPU_REGS_WRITEBACK_LO. */
#define SOFTGPU_REGS_WRITEBACK_HI		0x24
/*
 * RO. Nanoseconds that the engine was busy since its reset or the device's,
 * as the cost model counts them. Reading it latches SOFTGPU_REGS_BUSY_HI.
 */
#define SOFTGPU_REGS_BUSY_LO			0x28
/* RO. High half of SOFTGPU_REGS_BUSY_LO when that was read last. */
#define SOFTGPU_REGS_BUSY_HI			0x2c
/*
 * WO. Doorbell of engine 0; engine n has it at this plus 4 n. Writing sets
 * the ring's tail: an offset in bytes, a multiple of 4, below the ring's
 * size.
 */
#define SOFTGPU_REGS_DOORBELL			0x2000

#endif
