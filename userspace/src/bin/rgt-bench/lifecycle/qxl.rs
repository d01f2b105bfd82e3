// SPDX-License-Identifier: MIT

//! The calls of the driver qxl.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use drm::Device as _;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

use super::Driver;

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

/// `struct drm_gem_close`
#[repr(C)]
struct Close {
    handle: u32,
    pad: u32,
}

const ALLOC: Opcode = opcode::read_write::<Alloc>(b'd', 0x40);
const MAP: Opcode = opcode::read_write::<Map>(b'd', 0x41);
const CLOSE: Opcode = opcode::write::<Close>(b'd', 0x09);

/// A device of qxl.
pub(super) struct Qxl(File);

impl AsFd for Qxl {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Qxl {}

impl Qxl {
    /// Opens the first one, if there is one.
    pub(super) fn open() -> Result<Option<Self>> {
        for entry in fs::read_dir("/dev/dri")? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if !name.to_string_lossy().starts_with("card") {
                continue;
            }
            let file = OpenOptions::new().read(true).write(true).open(&path);
            let node = Self(file.with_context(|| path.display().to_string())?);
            if node.get_driver()?.name() == "qxl" {
                return Ok(Some(node));
            }
        }
        Ok(None)
    }
}

impl Driver for Qxl {
    fn name(&self) -> &'static str {
        "qxl"
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }

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

    fn close(&self, handle: u32) -> Result<()> {
        let mut request = Close { handle, pad: 0 };
        // SAFETY: As above.
        unsafe { ioctl(self, Updater::<CLOSE, _>::new(&mut request)) }?;
        Ok(())
    }
}
