// SPDX-License-Identifier: GPL-2.0

//! Shaded triangles.

use crate::abi::limits::{CORNER_MAX, SURFACE_MAX};
use crate::abi::packet::BLEND;
use crate::fault::{Access, Fault};

use super::raster::{Corner, Raster};
use super::surface::Surface;
use crate::engine::Stop;
use crate::engine::operands::{Operands, require};
use crate::engine::packet::Rows;
use crate::engine::transfer::Transfer;

/// A triangle on a surface of a size.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::engine) struct Triangle {
    rows: Rows,
    width: u32,
    height: u32,
    corners: [Corner; 3],
    blends: bool,
}

impl Triangle {
    pub(in crate::engine) fn decode(
        from: &mut Operands<'_>,
        flags: u32,
    ) -> Result<Self, Option<Fault>> {
        let rows = Rows {
            address: from.address(4, Access::Write)?,
            pitch: from.pitch()?,
        };
        let (width, height) = (from.dword(), from.dword());
        require(width <= SURFACE_MAX && height <= SURFACE_MAX)?;
        Ok(Self {
            rows,
            width,
            height,
            corners: [corner(from)?, corner(from)?, corner(from)?],
            blends: flags & BLEND != 0,
        })
    }

    pub(in crate::engine) fn draw(&self, transfer: &Transfer<'_>, space: u32) -> Result<(), Stop> {
        let rows = self.rows;
        let surface = Surface { space, rows };
        surface.check(self.width.into(), self.height.into(), Access::Write)?;
        let Some(raster) = Raster::new(self.corners) else {
            return Ok(());
        };
        let (first, end) = raster.rows(self.height);
        for y in first..end {
            transfer.check_stop()?;
            if let Some((x, mut pixels)) = raster.row(y, self.width) {
                surface.write(transfer, x, y, &mut pixels, self.blends)?;
            }
        }
        Ok(())
    }
}

fn corner(from: &mut Operands<'_>) -> Result<Corner, Option<Fault>> {
    let (x, y) = (from.dword() as i32, from.dword() as i32);
    let near = |place: i32| place.unsigned_abs() <= CORNER_MAX * 256;
    require(near(x) && near(y))?;
    let pixel = from.dword();
    Ok(Corner { x, y, pixel })
}
