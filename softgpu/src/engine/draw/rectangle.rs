// SPDX-License-Identifier: GPL-2.0

//! Rectangles of one colour.

use crate::fault::{Access, Fault};

use super::surface::Surface;
use crate::engine::Stop;
use crate::engine::operands::Operands;
use crate::engine::packet::Rows;
use crate::engine::transfer::Transfer;

/// A rectangle of a surface, and its pixels. The surface has no size of its own.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::engine) struct Rectangle {
    rows: Rows,
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    pixel: u32,
}

impl Rectangle {
    pub(in crate::engine) fn decode(from: &mut Operands<'_>) -> Result<Self, Option<Fault>> {
        Ok(Self {
            rows: Rows {
                address: from.address(4, Access::Write)?,
                pitch: from.pitch()?,
            },
            left: from.dword(),
            top: from.dword(),
            width: from.dword(),
            height: from.dword(),
            pixel: from.dword(),
        })
    }

    pub(in crate::engine) fn draw(&self, transfer: &Transfer<'_>, space: u32) -> Result<(), Stop> {
        if self.width == 0 || self.height == 0 {
            return Ok(());
        }
        let surface = Surface {
            space,
            rows: self.rows,
        };
        let [left, top, width, height] =
            [self.left, self.top, self.width, self.height].map(u64::from);
        surface.check(left + width, top + height, Access::Write)?;
        for y in top..top + height {
            transfer.fill(space, surface.address(left, y), width * 4, self.pixel)?;
        }
        Ok(())
    }
}
