// SPDX-License-Identifier: GPL-2.0

//! Rows of pixels in memory.

use crate::fault::Access;

use super::blend;
use crate::engine::Stop;
use crate::engine::packet::Rows;
use crate::engine::transfer::{Transfer, check_rows};

/// A surface of 32-bit pixels in an address space.
#[derive(Clone, Copy)]
pub(super) struct Surface {
    pub(super) space: u32,
    pub(super) rows: Rows,
}

impl Surface {
    /// Checks that all of `width` by `height` pixels from the corner are in the address space.
    pub(super) fn check(&self, width: u64, height: u64, access: Access) -> Result<(), Stop> {
        check_rows(self.space, self.rows, width * 4, height, access)?;
        Ok(())
    }

    /// Address of a pixel that passed the check.
    pub(super) fn address(&self, x: u64, y: u64) -> u64 {
        self.rows.address + y * u64::from(self.rows.pitch) + x * 4
    }

    /// Reads pixels of a row.
    pub(super) fn read(
        &self,
        transfer: &Transfer<'_>,
        x: u32,
        y: u32,
        pixels: &mut [u32],
    ) -> Result<(), Stop> {
        let mut bytes = vec![0; pixels.len() * 4];
        let address = self.address(x.into(), y.into());
        transfer.read(self.space, address, &mut bytes, Access::Read)?;
        for (pixel, bytes) in pixels.iter_mut().zip(bytes.as_chunks().0) {
            *pixel = u32::from_le_bytes(*bytes);
        }
        Ok(())
    }

    /// Writes pixels of a row, or blends them with those that are there.
    pub(super) fn write(
        &self,
        transfer: &Transfer<'_>,
        x: u32,
        y: u32,
        pixels: &mut [u32],
        blends: bool,
    ) -> Result<(), Stop> {
        if blends {
            let mut below = vec![0; pixels.len()];
            self.read(transfer, x, y, &mut below)?;
            for (pixel, below) in pixels.iter_mut().zip(below) {
                *pixel = blend::over(*pixel, below);
            }
        }
        let bytes: Vec<u8> = pixels
            .iter()
            .flat_map(|pixel| pixel.to_le_bytes())
            .collect();
        transfer.write(self.space, self.address(x.into(), y.into()), &bytes)
    }
}
