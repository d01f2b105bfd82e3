// SPDX-License-Identifier: MIT

//! The calls of the driver qxl.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::Result;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

use super::Driver;
use super::card::Card;

/// `struct drm_qxl_alloc`
#[repr(C)]
struct Alloc {
    size: u32,
    handle: u32,
}

/// `struct drm_qxl_map`
#[repr(C)]
struct Map {
    offset: u64,
    handle: u32,
    pad: u32,
}

const ALLOC: Opcode = opcode::read_write::<Alloc>(b'd', 0x40);
const MAP: Opcode = opcode::read_write::<Map>(b'd', 0x41);

/// A device of qxl.
pub(crate) struct Qxl(Card);

impl AsFd for Qxl {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Qxl {
    /// Opens the first one, if there is one.
    pub(crate) fn open() -> Result<Option<Self>> {
        Ok(Card::of_driver("qxl")?.map(Self))
    }
}

impl Driver for Qxl {
    fn create(&self, size: usize) -> Result<u32> {
        let mut request = Alloc {
            size: u32::try_from(size)?,
            handle: 0,
        };
        // SAFETY: The number is that of the call that takes this structure, which holds no
        // addresses.
        unsafe { ioctl(self, Updater::<ALLOC, _>::new(&mut request)) }?;
        Ok(request.handle)
    }

    fn map_offset(&self, handle: u32) -> Result<u64> {
        let mut request = Map {
            offset: 0,
            handle,
            pad: 0,
        };
        // SAFETY: As above.
        unsafe { ioctl(self, Updater::<MAP, _>::new(&mut request)) }?;
        Ok(request.offset)
    }
}
