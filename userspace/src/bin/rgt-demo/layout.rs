// SPDX-License-Identifier: MIT

//! The panel below the scene: what memory the GPU has.

use anyhow::Result;
use rgt::{Device, RegionKind};

use crate::canvas::{Canvas, GRID};
use crate::font;

const TOP: i32 = 404;
const BACK: u32 = 0x0d_0b_1a;
const FRAME: u32 = 0x3a_33_58;
const TEXT: u32 = 0xe8_e4_f4;
const DIM: u32 = 0x9a_92_b8;

/// Sizes of the GPU's memory in bytes.
pub(crate) struct Memory {
    /// Of VRAM.
    pub(crate) vram: u64,
    /// Of the part of it that the CPU can map.
    pub(crate) visible: u64,
    /// Of the pages that the GPU can see.
    pub(crate) gtt: u64,
}

impl Memory {
    /// Asks the device.
    pub(crate) fn of(device: &Device) -> Result<Self> {
        let vram = device.region(RegionKind::Vram)?;
        let gtt = device.region(RegionKind::Gtt)?;
        Ok(Self {
            vram: vram.map_or(0, |region| region.size),
            visible: vram.map_or(0, |region| region.cpu_visible_size),
            gtt: gtt.map_or(0, |region| region.size),
        })
    }
}

/// Draws the panel.
pub(crate) fn draw(canvas: &mut Canvas, memory: &Memory) {
    canvas.rect(0, TOP, GRID.width, GRID.height - TOP as u32, BACK);
    canvas.rect(0, TOP, GRID.width, 1, FRAME);
    canvas.text(16, TOP + 12, 3, 0xff_b0_6a, "rust");
    canvas.text(16, TOP + 38, 3, TEXT, "gpu ttm");
    let whole = memory.vram.max(1);
    let visible = (memory.visible * BAR / whole) as u32;
    let parts = [
        Part {
            width: visible,
            colour: 0x4f_c3_a1,
            label: "CPU window",
        },
        Part {
            width: BAR as u32 - visible,
            colour: 0x2b_6c_8f,
            label: "GPU only",
        },
    ];
    bar(canvas, TOP + 10, "VRAM", memory.vram, &parts);
    let all = [Part {
        width: BAR as u32,
        colour: 0xd9_8a_3d,
        label: "pages the GPU sees",
    }];
    bar(canvas, TOP + 32, "GTT", memory.gtt, &all);
    let all = [Part {
        width: BAR as u32,
        colour: 0x6b_5b_95,
        label: "pages the GPU does not see",
    }];
    bar(canvas, TOP + 54, "system", 0, &all);
}

/// Cells that a bar is long.
const BAR: u64 = 344;

struct Part {
    width: u32,
    colour: u32,
    label: &'static str,
}

fn bar(canvas: &mut Canvas, y: i32, name: &str, bytes: u64, parts: &[Part]) {
    canvas.text(168, y + 4, 1, TEXT, name);
    if bytes > 0 {
        canvas.text(214, y + 4, 1, DIM, &format!("{} MiB", bytes >> 20));
    }
    let mut x = 276;
    for part in parts {
        canvas.rect(x, y, part.width, 16, part.colour);
        canvas.rect(x, y + 13, part.width, 3, part.colour >> 1 & 0x7f_7f_7f);
        let text = font::width(part.label);
        if text + 4 <= part.width {
            canvas.text(
                x + (part.width - text) as i32 / 2,
                y + 4,
                1,
                BACK,
                part.label,
            );
        }
        x += part.width as i32;
        canvas.rect(x - 1, y, 1, 16, BACK);
    }
}
