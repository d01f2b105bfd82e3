// SPDX-License-Identifier: GPL-2.0

//! The kernel's heaps of shared buffers.

use std::fs::File;
use std::os::fd::{FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use rustix::fs::OFlags;
use rustix::ioctl::{Updater, ioctl, opcode};

use super::DmaBuf;

#[repr(C)]
struct Allocation {
    len: u64,
    fd: u32,
    fd_flags: u32,
    heap_flags: u64,
}

/// A heap.
pub(crate) struct Heap(File);

impl Heap {
    /// The one of system pages.
    pub(crate) fn system() -> Result<Self> {
        let path = "/dev/dma_heap/system";
        Ok(Self(File::open(path).with_context(|| path)?))
    }

    /// Allocates a buffer.
    pub(crate) fn allocate(&self, size: u64) -> Result<DmaBuf> {
        let mut request = Allocation {
            len: size,
            fd: 0,
            fd_flags: (OFlags::RDWR | OFlags::CLOEXEC).bits(),
            heap_flags: 0,
        };
        // SAFETY: The number and the structure are those of linux/dma-heap.h.
        unsafe {
            ioctl(
                &self.0,
                Updater::<{ opcode::read_write::<Allocation>(b'H', 0) }, _>::new(&mut request),
            )
        }
        .context("DMA_HEAP_IOCTL_ALLOC")?;
        // SAFETY: The kernel made the file for this call.
        Ok(unsafe { OwnedFd::from_raw_fd(request.fd as i32) }.into())
    }
}
