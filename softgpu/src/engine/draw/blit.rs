// SPDX-License-Identifier: GPL-2.0

//! Stretched copies of rectangles.

use crate::abi::limits::SURFACE_MAX;
use crate::abi::packet::BLEND;
use crate::fault::{Access, Fault};

use super::surface::Surface;
use crate::engine::Stop;
use crate::engine::operands::{Operands, require};
use crate::engine::packet::Rows;
use crate::engine::transfer::Transfer;

/// A rectangle of a surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Area {
    rows: Rows,
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Area {
    fn decode(from: &mut Operands<'_>, access: Access) -> Result<Self, Option<Fault>> {
        let area = Self {
            rows: Rows {
                address: from.address(4, access)?,
                pitch: from.pitch()?,
            },
            left: from.dword(),
            top: from.dword(),
            width: from.dword(),
            height: from.dword(),
        };
        let numbers = [area.left, area.top, area.width, area.height];
        require(numbers.iter().all(|number| *number <= SURFACE_MAX))?;
        Ok(area)
    }

    fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// The surface in an address space, if the rectangle is in it as a whole.
    fn surface(&self, space: u32, access: Access) -> Result<Surface, Stop> {
        let rows = self.rows;
        let surface = Surface { space, rows };
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        surface.check(right.into(), bottom.into(), access)?;
        Ok(surface)
    }
}

/// A copy of one rectangle to another, of another size.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::engine) struct Blit {
    source: Area,
    destination: Area,
    blends: bool,
}

impl Blit {
    pub(in crate::engine) fn decode(
        from: &mut Operands<'_>,
        flags: u32,
    ) -> Result<Self, Option<Fault>> {
        let blit = Self {
            source: Area::decode(from, Access::Read)?,
            destination: Area::decode(from, Access::Write)?,
            blends: flags & BLEND != 0,
        };
        require(blit.destination.is_empty() || !blit.source.is_empty())?;
        Ok(blit)
    }

    pub(in crate::engine) fn draw(&self, transfer: &Transfer<'_>, space: u32) -> Result<(), Stop> {
        let (source, destination) = (&self.source, &self.destination);
        if destination.is_empty() {
            return Ok(());
        }
        let from = source.surface(space, Access::Read)?;
        let to = destination.surface(space, Access::Write)?;
        let mut read = vec![0; source.width as usize];
        let mut last = None;
        for y in 0..destination.height {
            let row = nearest(y, source.height, destination.height);
            if last != Some(row) {
                from.read(transfer, source.left, source.top + row, &mut read)?;
                last = Some(row);
            }
            let mut pixels: Vec<u32> = (0..destination.width)
                .map(|x| read[nearest(x, source.width, destination.width) as usize])
                .collect();
            let (x, y) = (destination.left, destination.top + y);
            to.write(transfer, x, y, &mut pixels, self.blends)?;
        }
        Ok(())
    }
}

/// The place among `from` that place `at` among `to` shows.
fn nearest(at: u32, from: u32, to: u32) -> u32 {
    // Below `from`, because `at` is below `to`.
    (u64::from(at) * u64::from(from) / u64::from(to)) as u32
}
