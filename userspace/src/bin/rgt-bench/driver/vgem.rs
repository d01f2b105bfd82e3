// SPDX-License-Identifier: MIT

//! The calls of the driver vgem: those that all drivers with dumb buffers have.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Result, ensure};

use super::Driver;
use super::card::Card;

/// Pixels of a row, of a byte each: a page.
const WIDTH: usize = 4096;

/// The device of vgem.
pub(crate) struct Vgem(Card);

impl AsFd for Vgem {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Vgem {
    /// Opens it, if it is there.
    pub(crate) fn open() -> Result<Option<Self>> {
        Ok(Card::of_driver("vgem")?.map(Self))
    }
}

impl Driver for Vgem {
    fn create(&self, size: usize) -> Result<u32> {
        ensure!(
            size.is_multiple_of(WIDTH),
            "{size} bytes are no whole pages"
        );
        let rows = u32::try_from(size / WIDTH)?;
        let made = drm_ffi::mode::dumbbuffer::create(self.as_fd(), WIDTH as u32, rows, 8, 0)?;
        Ok(made.handle)
    }

    fn map_offset(&self, handle: u32) -> Result<u64> {
        Ok(drm_ffi::mode::dumbbuffer::map(self.as_fd(), handle, 0, 0)?.offset)
    }
}
