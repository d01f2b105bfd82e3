// SPDX-License-Identifier: MIT

//! Packets that draw: for engines of the render class only.

use super::{hi, lo};
use crate::abi::packet::{self as op, header, len};

/// A surface of 32-bit pixels that is drawn to or from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surface {
    /// GPU address of the top left pixel.
    pub addr: u64,
    /// Bytes from one row to the next.
    pub pitch: u32,
}

/// A rectangle of one colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// Left edge in pixels.
    pub x: u32,
    /// Top edge in rows.
    pub y: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in rows.
    pub height: u32,
    /// The pixel that fills it.
    pub pixel: u32,
}

/// Fills a rectangle of a surface.
pub const fn rect_fill(surface: Surface, rect: Rect) -> [u32; len::RECT_FILL as usize] {
    [
        header(op::RECT_FILL, 0, len::RECT_FILL),
        lo(surface.addr),
        hi(surface.addr),
        surface.pitch,
        rect.x,
        rect.y,
        rect.width,
        rect.height,
        rect.pixel,
    ]
}

/// A part of a surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// The surface.
    pub surface: Surface,
    /// Left edge in pixels.
    pub x: u32,
    /// Top edge in rows.
    pub y: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in rows.
    pub height: u32,
}

/// How pixels are combined with those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blend {
    /// Replace them.
    Replace,
    /// Mix with them, in proportion to bits 31:24.
    Over,
}

impl Blend {
    const fn flags(self) -> u32 {
        match self {
            Self::Replace => 0,
            Self::Over => op::BLEND,
        }
    }
}

/// Draws one area into another, stretched or shrunk.
pub const fn blit(src: Area, dst: Area, blend: Blend) -> [u32; len::BLIT as usize] {
    [
        header(op::BLIT, blend.flags(), len::BLIT),
        lo(src.surface.addr),
        hi(src.surface.addr),
        src.surface.pitch,
        src.x,
        src.y,
        src.width,
        src.height,
        lo(dst.surface.addr),
        hi(dst.surface.addr),
        dst.surface.pitch,
        dst.x,
        dst.y,
        dst.width,
        dst.height,
    ]
}

/// A corner of a triangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corner {
    /// From the left edge of the surface, in 1/256 of a pixel.
    pub x: i32,
    /// From its top, in 1/256 of a row.
    pub y: i32,
    /// The pixel there.
    pub pixel: u32,
}

/// Draws a triangle on a surface of this many pixels and rows.
pub const fn triangle(
    surface: Surface,
    width: u32,
    height: u32,
    [a, b, c]: [Corner; 3],
    blend: Blend,
) -> [u32; len::TRIANGLE as usize] {
    [
        header(op::TRIANGLE, blend.flags(), len::TRIANGLE),
        lo(surface.addr),
        hi(surface.addr),
        surface.pitch,
        width,
        height,
        a.x as u32,
        a.y as u32,
        a.pixel,
        b.x as u32,
        b.y as u32,
        b.pixel,
        c.x as u32,
        c.y as u32,
        c.pixel,
    ]
}
