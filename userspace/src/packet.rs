// SPDX-License-Identifier: MIT

//! Packets of the GPU as dwords, for indirect buffers.

use crate::abi::packet::{self as op, header, len};

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

/// A surface of 32-bit pixels that RECT_FILL draws to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surface {
    /// GPU address of the top left pixel.
    pub addr: u64,
    /// Bytes from one row to the next.
    pub pitch: u32,
}

/// A rectangle of one colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// Left edge in pixels.
    pub x: u32,
    /// Top edge in rows.
    pub y: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in rows.
    pub height: u32,
    /// The pixel that fills it.
    pub pixel: u32,
}

/// Fills a rectangle of a surface. Engines of the render class only.
pub const fn rect_fill(surface: Surface, rect: Rect) -> [u32; len::RECT_FILL as usize] {
    [
        header(op::RECT_FILL, 0, len::RECT_FILL),
        lo(surface.addr),
        hi(surface.addr),
        surface.pitch,
        rect.x,
        rect.y,
        rect.width,
        rect.height,
        rect.pixel,
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
