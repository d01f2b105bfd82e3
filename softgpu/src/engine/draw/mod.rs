// SPDX-License-Identifier: GPL-2.0

//! Packets that draw, on surfaces of 32-bit pixels.

mod blend;
mod blit;
mod raster;
mod rectangle;
mod surface;
mod triangle;

pub(super) use blit::Blit;
pub(super) use rectangle::Rectangle;
pub(super) use triangle::Triangle;
