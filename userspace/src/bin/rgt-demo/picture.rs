// SPDX-License-Identifier: MIT

//! Saving of pixels as a PNG file.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};

use crate::args::Size;

/// Pixels, row by row, each red, green and blue in bits 23:0.
pub(crate) struct Picture {
    pub(crate) size: Size,
    pub(crate) pixels: Vec<u32>,
}

impl Picture {
    /// Writes the file and the folders that it needs.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let write = || -> Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            self.encode(BufWriter::new(File::create(path)?))
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    fn encode(&self, mut to: impl Write) -> Result<()> {
        let mut encoder = png::Encoder::new(&mut to, self.size.width, self.size.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let bytes: Vec<u8> = self.pixels.iter().flat_map(|pixel| rgb(*pixel)).collect();
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&bytes)?;
        writer.finish()?;
        to.flush()?;
        Ok(())
    }
}

fn rgb(pixel: u32) -> [u8; 3] {
    let [_, red, green, blue] = pixel.to_be_bytes();
    [red, green, blue]
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn what_is_saved_can_be_read() {
        let size = Size {
            width: 2,
            height: 1,
        };
        let picture = Picture {
            size,
            pixels: vec![0x01_02_03, 0xff_80_00],
        };
        let mut file = Vec::new();
        picture.encode(&mut file).unwrap();
        let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
        let mut data = [0; 6];
        reader.next_frame(&mut data).unwrap();
        assert_eq!(data, [1, 2, 3, 0xff, 0x80, 0]);
    }
}
