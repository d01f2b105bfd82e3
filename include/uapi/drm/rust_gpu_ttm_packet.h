/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The packets of indirect buffers, see DRM_IOCTL_RGT_CS.
 *
 * Generated from the crate softgpu-abi by "make generate".
 */
#ifndef _UAPI_RUST_GPU_TTM_PACKET_H_
#define _UAPI_RUST_GPU_TTM_PACKET_H_

#include <linux/types.h>

#if defined(__cplusplus)
extern "C" {
#endif

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
#define DRM_RGT_PACKET_NOP			0x00
/*
 * Copies: source (64), destination (64), bytes (64). Any alignment; the two
 * must not overlap, or the destination's content is undefined.
 */
#define DRM_RGT_PACKET_COPY			0x10
/*
 * Fills with a 32-bit pattern: destination (64, 4-byte aligned), bytes (64,
 * multiple of 4), pattern (32).
 */
#define DRM_RGT_PACKET_FILL			0x11
/*
 * Writes immediate data: destination (64, 4-byte aligned), then one dword or
 * more of data.
 */
#define DRM_RGT_PACKET_WRITE			0x12
/*
 * Writes the checksum of a range: source (64, 4-byte aligned), bytes (64,
 * multiple of 4), destination of the 64-bit result (64, 8-byte aligned).
 */
#define DRM_RGT_PACKET_CHECKSUM			0x13
/*
 * Copies rows: source (64), bytes from one row to the next there (32),
 * destination (64), bytes from one row to the next there (32), bytes of a
 * row (32), rows (32). Any alignment; the two must not overlap, or the
 * destination's content is undefined.
 */
#define DRM_RGT_PACKET_COPY_ROWS		0x14
/*
 * Adds to a 64-bit word, atomically for engines and CPUs: address (64, 8-
 * byte aligned), summand (64), address for the old value (64, 8-byte
 * aligned, 0 for none).
 */
#define DRM_RGT_PACKET_ATOMIC_ADD		0x15
/*
 * Compares a 64-bit word with an expected value and replaces it if they are
 * equal, atomically for engines and CPUs: address (64, 8-byte aligned),
 * expected value (64), new value (64), address for the old value (64, 8-byte
 * aligned, 0 for none).
 */
#define DRM_RGT_PACKET_ATOMIC_SWAP		0x16
/*
 * Render. Fills a rectangle of a surface of 32-bit pixels: surface (64, 4-
 * byte aligned), bytes from one row to the next (32, multiple of 4), left
 * edge in pixels (32), top edge in rows (32), width in pixels (32), height
 * in rows (32), pixel (32).
 */
#define DRM_RGT_PACKET_RECT_FILL		0x20
/*
 * Render. Draws a rectangle of one surface into a rectangle of another, of
 * 32-bit pixels, stretched: each pixel is the nearest one. Twice, for source
 * and destination: surface (64, 4-byte aligned), bytes from one row to the
 * next (32, multiple of 4), left edge (32), top edge (32), width (32),
 * height (32), each at most DRM_RGT_LIMITS_SURFACE_MAX. Flag:
 * DRM_RGT_PACKET_BLEND.
 */
#define DRM_RGT_PACKET_BLIT			0x21
/*
 * Render. Draws a triangle: surface (64, 4-byte aligned), bytes from one row
 * to the next (32, multiple of 4), width (32) and height (32) of the
 * surface, each at most DRM_RGT_LIMITS_SURFACE_MAX, and of each corner x
 * (32) and y (32), signed, in units of 1/256 of a pixel, and the pixel (32)
 * there. Flag: DRM_RGT_PACKET_BLEND.
 */
#define DRM_RGT_PACKET_TRIANGLE			0x22
/*
 * Flag of DRM_RGT_PACKET_BLIT and DRM_RGT_PACKET_TRIANGLE: pixels are mixed
 * with what is there, in proportion to their bits 31:24.
 */
#define DRM_RGT_PACKET_BLEND			0x1

/*
 * Lengths in dwords, header included, of the packets that have a fixed one.
 */

/* Of DRM_RGT_PACKET_COPY. */
#define DRM_RGT_PACKET_LEN_COPY			7
/* Of DRM_RGT_PACKET_FILL. */
#define DRM_RGT_PACKET_LEN_FILL			6
/* Of DRM_RGT_PACKET_CHECKSUM. */
#define DRM_RGT_PACKET_LEN_CHECKSUM		7
/* Of DRM_RGT_PACKET_RECT_FILL. */
#define DRM_RGT_PACKET_LEN_RECT_FILL		9
/* Of DRM_RGT_PACKET_COPY_ROWS. */
#define DRM_RGT_PACKET_LEN_COPY_ROWS		9
/* Of DRM_RGT_PACKET_ATOMIC_ADD. */
#define DRM_RGT_PACKET_LEN_ATOMIC_ADD		7
/* Of DRM_RGT_PACKET_ATOMIC_SWAP. */
#define DRM_RGT_PACKET_LEN_ATOMIC_SWAP		9
/* Of DRM_RGT_PACKET_BLIT. */
#define DRM_RGT_PACKET_LEN_BLIT			15
/* Of DRM_RGT_PACKET_TRIANGLE. */
#define DRM_RGT_PACKET_LEN_TRIANGLE		15
/* Shortest DRM_RGT_PACKET_WRITE. */
#define DRM_RGT_PACKET_LEN_WRITE_MIN		4
/* Longest packet. */
#define DRM_RGT_PACKET_LEN_MAX			0xffff

/*
 * Largest width, height, left edge and top edge, in pixels, of what
 * DRM_RGT_PACKET_BLIT and DRM_RGT_PACKET_TRIANGLE read and write.
 */
#define DRM_RGT_LIMITS_SURFACE_MAX		16384

/* Makes a header. */
static __inline__ __u32 drm_rgt_packet_header(__u32 opcode, __u32 flags, __u32 dwords)
{
	return (opcode & 0xff) | ((flags & 0xff) << 8) | (dwords << 16);
}

#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_RUST_GPU_TTM_PACKET_H_ */
