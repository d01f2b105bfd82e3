// SPDX-License-Identifier: GPL-2.0

//! Memory files as shared buffers.

use std::fs::OpenOptions;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

use super::DmaBuf;

#[repr(C)]
struct Create {
    memfd: u32,
    flags: u32,
    offset: u64,
    size: u64,
}

// SAFETY: The number and the structure are those of linux/udmabuf.h; the answer is a file.
unsafe impl Ioctl for Create {
    type Output = OwnedFd;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        opcode::write::<Self>(b'u', 0x42)
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        std::ptr::from_mut(self).cast()
    }

    unsafe fn output_from_ptr(
        output: IoctlOutput,
        _: *mut std::ffi::c_void,
    ) -> Result<OwnedFd, Errno> {
        // SAFETY: The kernel made the file for this call.
        Ok(unsafe { OwnedFd::from_raw_fd(output) })
    }
}

/// Makes a buffer of a new memory file.
pub(crate) fn udmabuf(size: u64) -> Result<DmaBuf> {
    let file = memfd_create(c"udmabuf", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&file, size)?;
    fcntl_add_seals(&file, SealFlags::SHRINK)?;
    let request = Create {
        memfd: file.as_raw_fd() as u32,
        flags: 1,
        offset: 0,
        size,
    };
    let path = "/dev/udmabuf";
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .with_context(|| path)?;
    // SAFETY: As `Create` says.
    let buf = unsafe { ioctl(&device, request) }.context("UDMABUF_CREATE")?;
    // It maps the pages for a device of its own, in longer segments than that says it takes.
    Ok(DmaBuf::without_sync(buf))
}
