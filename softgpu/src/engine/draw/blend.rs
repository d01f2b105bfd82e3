// SPDX-License-Identifier: GPL-2.0

//! Mixing of pixels.

/// `pixel` over `below`: each byte is mixed in the proportion that bits 31:24 of `pixel` say,
/// rounded to the nearest; 255 covers, 0 leaves what is there. The result's own bits 31:24 are what
/// both cover together.
pub(super) fn over(pixel: u32, below: u32) -> u32 {
    let alpha = pixel >> 24;
    let mix = |shift: u32| {
        let (new, old) = (pixel >> shift & 0xff, below >> shift & 0xff);
        (new * alpha + old * (255 - alpha) + 127) / 255
    };
    let cover = alpha + ((below >> 24) * (255 - alpha) + 127) / 255;
    cover << 24 | mix(16) << 16 | mix(8) << 8 | mix(0)
}

#[cfg(test)]
mod tests {
    use super::over;

    #[test]
    fn known_mixtures() {
        assert_eq!(over(0xff12_3456, 0x89ab_cdef), 0xff12_3456);
        assert_eq!(over(0x00ff_ffff, 0x8912_3456), 0x8912_3456);
        assert_eq!(over(0x80ff_0000, 0xff00_00ff), 0xff80_007f);
        assert_eq!(over(0x80ff_ffff, 0x8000_0000), 0xc080_8080);
        for alpha in 0..=255u32 {
            assert_eq!(over(alpha << 24 | 0xff_ffff, u32::MAX), u32::MAX);
        }
    }
}
