// SPDX-License-Identifier: MIT

//! Packets of the GPU as dwords, for indirect buffers.

mod draw;

use crate::abi::packet::{self as op, header, len};

pub use draw::{Area, Blend, Corner, Rect, Surface, blit, rect_fill, triangle};

const fn lo(value: u64) -> u32 {
    value as u32
}

const fn hi(value: u64) -> u32 {
    (value >> 32) as u32
}

/// Does nothing. Other lengths than one dword are padding of `dwords` dwords.
pub const fn nop(dwords: u32) -> u32 {
    header(op::NOP, 0, dwords)
}

/// Copies `bytes` bytes from `src` to `dst`, which must not overlap.
pub const fn copy(src: u64, dst: u64, bytes: u64) -> [u32; len::COPY as usize] {
    let head = header(op::COPY, 0, len::COPY);
    [
        head,
        lo(src),
        hi(src),
        lo(dst),
        hi(dst),
        lo(bytes),
        hi(bytes),
    ]
}

/// Fills `bytes` bytes at `dst` with a 32-bit pattern.
pub const fn fill(dst: u64, bytes: u64, pattern: u32) -> [u32; len::FILL as usize] {
    let head = header(op::FILL, 0, len::FILL);
    [head, lo(dst), hi(dst), lo(bytes), hi(bytes), pattern]
}

/// The first three dwords of a WRITE of `count` dwords to `dst`; the data follows them.
pub const fn write_head(dst: u64, count: u32) -> [u32; 3] {
    [header(op::WRITE, 0, 3 + count), lo(dst), hi(dst)]
}

/// Most dwords of data that one WRITE takes.
pub const WRITE_MAX_DATA: usize = len::MAX as usize - 3;

/// Writes the 64-bit checksum of `bytes` bytes at `src` to `dst`.
pub const fn checksum(src: u64, bytes: u64, dst: u64) -> [u32; len::CHECKSUM as usize] {
    let head = header(op::CHECKSUM, 0, len::CHECKSUM);
    [
        head,
        lo(src),
        hi(src),
        lo(bytes),
        hi(bytes),
        lo(dst),
        hi(dst),
    ]
}

/// Rows of bytes in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// GPU address of the first.
    pub addr: u64,
    /// Bytes from one to the next.
    pub pitch: u32,
}

/// Copies `rows` rows of `bytes` bytes from `src` to `dst`, which must not overlap.
pub const fn copy_rows(
    src: Rows,
    dst: Rows,
    bytes: u32,
    rows: u32,
) -> [u32; len::COPY_ROWS as usize] {
    [
        header(op::COPY_ROWS, 0, len::COPY_ROWS),
        lo(src.addr),
        hi(src.addr),
        src.pitch,
        lo(dst.addr),
        hi(dst.addr),
        dst.pitch,
        bytes,
        rows,
    ]
}

/// Adds to the 64-bit word at `addr`, and writes what it was to `old` unless that is 0.
pub const fn atomic_add(addr: u64, summand: u64, old: u64) -> [u32; len::ATOMIC_ADD as usize] {
    [
        header(op::ATOMIC_ADD, 0, len::ATOMIC_ADD),
        lo(addr),
        hi(addr),
        lo(summand),
        hi(summand),
        lo(old),
        hi(old),
    ]
}

/// Replaces the 64-bit word at `addr` by `new` if it is `expected`, and writes what it was to `old`
/// unless that is 0.
pub const fn atomic_swap(
    addr: u64,
    expected: u64,
    new: u64,
    old: u64,
) -> [u32; len::ATOMIC_SWAP as usize] {
    [
        header(op::ATOMIC_SWAP, 0, len::ATOMIC_SWAP),
        lo(addr),
        hi(addr),
        lo(expected),
        hi(expected),
        lo(new),
        hi(new),
        lo(old),
        hi(old),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_tell_opcode_and_length() {
        assert_eq!(copy(0, 0, 0)[0], 0x0007_0010);
        assert_eq!(fill(0, 0, 0)[0], 0x0006_0011);
        assert_eq!(write_head(0, 2)[0], 0x0005_0012);
        assert_eq!(checksum(0, 0, 0)[0], 0x0007_0013);
        let surface = Surface { addr: 0, pitch: 0 };
        let rect = Rect {
            x: 0,
            y: 0,
            width: 0,
            height: 0,
            pixel: 0,
        };
        assert_eq!(rect_fill(surface, rect)[0], 0x0009_0020);
        assert_eq!(nop(1), 0x0001_0000);
        let rows = Rows { addr: 0, pitch: 0 };
        assert_eq!(copy_rows(rows, rows, 0, 0)[0], 0x0009_0014);
        assert_eq!(atomic_add(0, 0, 0)[0], 0x0007_0015);
        assert_eq!(atomic_swap(0, 0, 0, 0)[0], 0x0009_0016);
        let area = Area {
            surface,
            x: 0,
            y: 0,
            width: 0,
            height: 0,
        };
        assert_eq!(blit(area, area, Blend::Replace)[0], 0x000f_0021);
        let corner = Corner {
            x: -1,
            y: 0,
            pixel: 0,
        };
        let triangle = triangle(surface, 1, 1, [corner; 3], Blend::Over);
        assert_eq!((triangle[0], triangle[6]), (0x000f_0122, u32::MAX));
    }

    #[test]
    fn addresses_are_two_dwords_low_one_first() {
        let packet = copy(0x1_0000_0002, 0x3_0000_0004, 0x5_0000_0006);
        assert_eq!(packet[1..], [2, 1, 4, 3, 6, 5]);
    }

    #[test]
    fn the_longest_write_fits_its_length_field() {
        let head = write_head(0, WRITE_MAX_DATA as u32)[0];
        assert_eq!(head >> 16, len::MAX);
    }
}
