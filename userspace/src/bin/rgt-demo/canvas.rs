// SPDX-License-Identifier: MIT

//! Recording of rectangles, and what they look like when the CPU draws them.

use rgt::packet::Rect;

use crate::args::Size;
use crate::font;

/// The grid that scenes are designed on; a canvas scales it to its size.
pub(crate) const GRID: Size = Size {
    width: 640,
    height: 480,
};

/// A list of rectangles, all inside the picture.
pub(crate) struct Canvas {
    size: Size,
    rects: Vec<Rect>,
}

impl Canvas {
    /// An empty canvas.
    pub(crate) fn new(size: Size) -> Self {
        Self {
            size,
            rects: Vec::new(),
        }
    }

    /// Adds a rectangle given in cells of the grid, cut off at the edges of the picture.
    pub(crate) fn rect(&mut self, x: i32, y: i32, width: u32, height: u32, pixel: u32) {
        let (left, right) = scale(x, width, GRID.width, self.size.width);
        let (top, bottom) = scale(y, height, GRID.height, self.size.height);
        if left < right && top < bottom {
            self.rects.push(Rect {
                x: left,
                y: top,
                width: right - left,
                height: bottom - top,
                pixel,
            });
        }
    }

    /// Adds a text with its top left corner at a cell; a font cell is `zoom` grid cells.
    pub(crate) fn text(&mut self, x: i32, y: i32, zoom: u32, pixel: u32, text: &str) {
        let mut pen = x;
        for letter in text.chars() {
            for (row, bits) in (0..).zip(font::glyph(letter)) {
                self.bits(pen, y + row * zoom as i32, zoom, pixel, bits);
            }
            pen += (font::ADVANCE * zoom) as i32;
        }
    }

    /// One row of a letter, a rectangle for each run of cells.
    fn bits(&mut self, x: i32, y: i32, zoom: u32, pixel: u32, bits: u8) {
        let set = |cell: u32| cell < 5 && bits >> (4 - cell) & 1 == 1;
        let mut cell = 0;
        while cell < 5 {
            let run = (cell..5).take_while(|cell| set(*cell)).count() as u32;
            if run > 0 {
                self.rect(x + (cell * zoom) as i32, y, run * zoom, zoom, pixel);
            }
            cell += run.max(1);
        }
    }

    /// The rectangles in the order they are drawn.
    pub(crate) fn rects(&self) -> &[Rect] {
        &self.rects
    }

    /// The pixels, row by row, as the GPU should draw them.
    pub(crate) fn pixels(&self) -> Vec<u32> {
        let pitch = self.size.width as usize;
        let mut pixels = vec![0; pitch * self.size.height as usize];
        for rect in &self.rects {
            for row in rect.y..rect.y + rect.height {
                let start = row as usize * pitch + rect.x as usize;
                pixels[start..start + rect.width as usize].fill(rect.pixel);
            }
        }
        pixels
    }
}

/// Start and end of a span of grid cells in pixels; spans that touch on the grid touch here.
fn scale(start: i32, len: u32, cells: u32, pixels: u32) -> (u32, u32) {
    let edge =
        |cell: i64| (cell.clamp(0, cells.into()) * i64::from(pixels) / i64::from(cells)) as u32;
    (edge(start.into()), edge(i64::from(start) + i64::from(len)))
}

/// The colour between two, `at` of `of` steps from the first.
pub(crate) fn mix(from: u32, to: u32, at: u32, of: u32) -> u32 {
    [0, 8, 16].into_iter().fold(0, |pixel, shift| {
        let channel = |pixel: u32| pixel >> shift & 0xff;
        let mixed = (channel(from) * (of - at) + channel(to) * at) / of;
        pixel | mixed << shift
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_are_cut_off_at_the_edges() {
        let mut canvas = Canvas::new(Size {
            width: 64,
            height: 64,
        });
        canvas.rect(-100, -100, 2000, 2000, 1);
        canvas.rect(640, 0, 10, 10, 2);
        canvas.rect(0, -10, 640, 10, 2);
        let all = Rect {
            x: 0,
            y: 0,
            width: 64,
            height: 64,
            pixel: 1,
        };
        assert_eq!(canvas.rects(), [all]);
        assert!(canvas.pixels().iter().all(|pixel| *pixel == 1));
    }

    #[test]
    fn spans_that_touch_leave_no_gap_at_any_size() {
        for pixels in [64, 333, 640, 1000, 4096] {
            for cell in 0..639 {
                assert_eq!(
                    scale(cell, 1, 640, pixels).1,
                    scale(cell + 1, 1, 640, pixels).0
                );
            }
            assert_eq!(scale(0, 640, 640, pixels), (0, pixels));
        }
    }

    #[test]
    fn mixing_ends_at_the_two_colours() {
        assert_eq!(mix(0x10_20_30, 0xff_80_00, 0, 7), 0x10_20_30);
        assert_eq!(mix(0x10_20_30, 0xff_80_00, 7, 7), 0xff_80_00);
        assert_eq!(mix(0, 0xfe_fe_fe, 1, 2), 0x7f_7f_7f);
    }
}
