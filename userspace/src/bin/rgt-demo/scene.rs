// SPDX-License-Identifier: MIT

//! The scene: a city across the water at dusk, a penguin on the quay.

use crate::args::Size;
use crate::canvas::{Canvas, GRID, mix};
use crate::layout::{self, Memory};
use crate::tux;

const HORIZON: i32 = 296;
const QUAY: i32 = 392;

/// Sky colours from the top to the horizon, at equal distances.
const SKY: [u32; 5] = [0x0b_10_2e, 0x2a_1e_58, 0x7a_2f_74, 0xd9_5d_62, 0xfb_b0_6a];
const SUN_TOP: u32 = 0xff_f1_b0;
const SUN_BOTTOM: u32 = 0xff_7a_59;

/// The whole picture as rectangles.
pub(crate) fn draw(size: Size, memory: &Memory) -> Canvas {
    let mut canvas = Canvas::new(size);
    sky(&mut canvas);
    stars(&mut canvas);
    sun(&mut canvas, 418, 236, 62);
    hills(&mut canvas);
    skyline(&mut canvas, &FAR);
    skyline(&mut canvas, &NEAR);
    water(&mut canvas);
    glitter(&mut canvas, 418);
    quay(&mut canvas);
    let zoom = 6;
    let top = QUAY + 6 - (tux::HEIGHT * zoom) as i32;
    tux::draw(&mut canvas, 44, top, zoom);
    layout::draw(&mut canvas, memory);
    canvas
}

/// Numbers that look random and are the same in every run.
struct Dice(u32);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % limit
    }
}

fn sky(canvas: &mut Canvas) {
    let steps = SKY.len() as u32 - 1;
    for y in 0..HORIZON as u32 {
        let place = y * steps * 256 / HORIZON as u32;
        let index = (place / 256) as usize;
        let pixel = mix(SKY[index], SKY[index + 1], place % 256, 256);
        canvas.rect(0, y as i32, GRID.width, 1, pixel);
    }
}

fn stars(canvas: &mut Canvas) {
    let mut dice = Dice(7);
    for _ in 0..110 {
        let (x, y) = (dice.below(GRID.width) as i32, dice.below(150) as i32);
        let faint = mix(
            0xff_ff_ff,
            SKY[1],
            (y as u32 + dice.below(60)).min(200),
            210,
        );
        let side = if dice.below(6) == 0 { 2 } else { 1 };
        canvas.rect(x, y, side, side, faint);
    }
}

fn sun(canvas: &mut Canvas, x: i32, y: i32, radius: i32) {
    for row in -radius..radius {
        // Slits that widen downwards.
        let slit = row > 4 && (row - 4) % 12 < row / 12;
        if slit {
            continue;
        }
        let half = (radius * radius - row * row).isqrt();
        let pixel = mix(
            SUN_TOP,
            SUN_BOTTOM,
            (row + radius) as u32,
            2 * radius as u32,
        );
        canvas.rect(x - half, y + row, 2 * half as u32, 1, pixel);
    }
}

fn hills(canvas: &mut Canvas) {
    /// Heights at every 40 cells.
    const HEIGHTS: [i32; 17] = [
        34, 52, 74, 60, 40, 58, 82, 66, 38, 26, 20, 30, 52, 76, 90, 70, 48,
    ];
    for x in 0..GRID.width as i32 {
        let index = (x / 40) as usize;
        let (a, b) = (HEIGHTS[index], HEIGHTS[index + 1]);
        let height = a + (b - a) * (x % 40) / 40;
        canvas.rect(x, HORIZON - height, 1, height as u32, 0x5c_2f_6b);
    }
}

/// A row of houses.
struct Row {
    seed: u32,
    lowest: u32,
    highest: u32,
    narrowest: u32,
    widest: u32,
    wall: u32,
    window: u32,
    /// Of ten windows, how many are lit.
    lit: u32,
}

const FAR: Row = Row {
    seed: 21,
    lowest: 30,
    highest: 110,
    narrowest: 16,
    widest: 34,
    wall: 0x3d_24_58,
    window: 0x9a_5b_7e,
    lit: 4,
};

const NEAR: Row = Row {
    seed: 3,
    lowest: 18,
    highest: 84,
    narrowest: 22,
    widest: 48,
    wall: 0x19_12_30,
    window: 0xff_d3_6b,
    lit: 5,
};

fn skyline(canvas: &mut Canvas, row: &Row) {
    let mut dice = Dice(row.seed);
    let mut x = -4;
    while x < GRID.width as i32 {
        let width = row.narrowest + dice.below(row.widest - row.narrowest);
        let height = row.lowest + dice.below(row.highest - row.lowest);
        house(canvas, row, &mut dice, x, width, height);
        x += width as i32 + dice.below(4) as i32;
    }
}

fn house(canvas: &mut Canvas, row: &Row, dice: &mut Dice, x: i32, width: u32, height: u32) {
    let roof = HORIZON - height as i32;
    canvas.rect(x, roof, width, height, row.wall);
    if dice.below(3) == 0 {
        let mast = 8 + dice.below(14);
        canvas.rect(x + width as i32 / 2, roof - mast as i32, 2, mast, row.wall);
    }
    for window_y in (roof + 5..HORIZON - 6).step_by(8) {
        for window_x in (x + 4..x + width as i32 - 5).step_by(7) {
            if dice.below(10) < row.lit {
                canvas.rect(window_x, window_y, 3, 4, row.window);
            }
        }
    }
}

fn water(canvas: &mut Canvas) {
    let depth = (QUAY - HORIZON) as u32;
    for row in 0..depth {
        let pixel = mix(0x8a_3f_6d, 0x12_12_38, row, depth);
        canvas.rect(0, HORIZON + row as i32, GRID.width, 1, pixel);
    }
    let mut dice = Dice(99);
    for _ in 0..150 {
        let row = dice.below(depth - 2);
        let pixel = mix(0xc7_6a_7c, 0x2a_24_58, row, depth);
        let x = dice.below(GRID.width + 30) as i32 - 30;
        canvas.rect(
            x,
            HORIZON + row as i32,
            8 + dice.below(10 + row / 3),
            1,
            pixel,
        );
    }
}

/// The sun's light on the water.
fn glitter(canvas: &mut Canvas, x: i32) {
    let mut dice = Dice(5);
    for row in (2..QUAY - HORIZON).step_by(3) {
        let half = 46 - row / 3 + dice.below(16) as i32;
        let shift = dice.below(12) as i32 - 6;
        let pixel = mix(SUN_TOP, SUN_BOTTOM, row as u32, (QUAY - HORIZON) as u32);
        canvas.rect(x - half + shift, HORIZON + row, 2 * half as u32, 1, pixel);
        canvas.rect(
            x - half / 2 - shift,
            HORIZON + row + 1,
            half as u32,
            1,
            pixel,
        );
    }
}

fn quay(canvas: &mut Canvas) {
    canvas.rect(0, QUAY, GRID.width, 4, 0x56_4a_68);
    for x in (0..GRID.width as i32).step_by(32) {
        canvas.rect(x, QUAY + 4, 31, 8, 0x2e_27_42);
        canvas.rect(x + 31, QUAY + 4, 1, 8, 0x1c_17_2c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_the_same_every_time_and_covers_everything() {
        let memory = Memory {
            vram: 256 << 20,
            visible: 64 << 20,
            gtt: 1 << 30,
        };
        for size in [
            GRID,
            Size {
                width: 64,
                height: 64,
            },
            Size {
                width: 333,
                height: 777,
            },
        ] {
            let canvas = draw(size, &memory);
            let pixels = canvas.pixels();
            assert_eq!(pixels, draw(size, &memory).pixels());
            assert!(pixels.iter().all(|pixel| *pixel != 0));
            let inside = |rect: &rgt::packet::Rect| {
                rect.x + rect.width <= size.width && rect.y + rect.height <= size.height
            };
            assert!(canvas.rects().iter().all(inside));
        }
    }
}
