// SPDX-License-Identifier: MIT

//! A penguin in pixels.

use crate::canvas::Canvas;

/// A letter a cell; what [`colour`] does not know is transparent.
const CELLS: [&str; 27] = [
    "........kkkkkk........",
    "......kkkkkkkkkk......",
    ".....kkkggkkkkkkk.....",
    ".....kkgkkkkkkkkk.....",
    "....kkkkkkkkkkkkkk....",
    "....kkwwwkkkkwwwkk....",
    "....kwwwwwkkwwwwwk....",
    "....kwwekwkkwkewwk....",
    "....kwwkkwkkwkkwwk....",
    "....kkwwwyyyywwwkk....",
    "....kkkyyyyyyyykkk....",
    "....kkooyyyyyyookk....",
    "....kkkkooooookkkk....",
    "...kkkwwkooookwwkkk...",
    "...kkwwwwwwwwwwwwkk...",
    "..kkkwwwwwwwwwwwwkkk..",
    "..kkwwwwwwwwwwwwwwkk..",
    ".kkkwwwwwwwwwwwwwwkkk.",
    ".kkkwwwwwwwwwwwwwwkkk.",
    "kkkkwwwwwwwwwwwwwwkkkk",
    "kkgkwwwwwwwwwwwwwwkgkk",
    "kkgkwwwwwwwwwwwwwwkgkk",
    "kkkkwwwwwwwwwwwwwwkkkk",
    ".kyyykwwwwwwwwwwkyyyk.",
    ".yyyyyykkwwwwkkyyyyyy.",
    "yyyyyyyykkkkkkyyyyyyyy",
    ".oooooooo....oooooooo.",
];

/// Cells that the penguin is high.
pub(crate) const HEIGHT: u32 = CELLS.len() as u32;

fn colour(cell: u8) -> Option<u32> {
    match cell {
        b'k' => Some(0x10_10_18),
        b'g' => Some(0x4a_4a_60),
        b'w' => Some(0xf6_f4_ee),
        b'e' => Some(0xff_ff_ff),
        b'y' => Some(0xfb_c0_2d),
        b'o' => Some(0xe0_8a_1a),
        _ => None,
    }
}

/// Draws the penguin, `zoom` grid cells a cell.
pub(crate) fn draw(canvas: &mut Canvas, x: i32, y: i32, zoom: u32) {
    for (row, cells) in (0..).zip(CELLS) {
        let mut column = 0;
        for run in cells.as_bytes().chunk_by(|a, b| a == b) {
            if let Some(pixel) = colour(run[0]) {
                let left = x + (column * zoom) as i32;
                canvas.rect(
                    left,
                    y + row * zoom as i32,
                    run.len() as u32 * zoom,
                    zoom,
                    pixel,
                );
            }
            column += run.len() as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_as_wide_as_the_first_and_of_known_cells() {
        for row in CELLS {
            assert_eq!(row.len(), CELLS[0].len(), "{row}");
            assert!(
                row.bytes()
                    .all(|cell| cell == b'.' || colour(cell).is_some()),
                "{row}"
            );
        }
    }
}
