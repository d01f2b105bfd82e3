// SPDX-License-Identifier: GPL-2.0

//! The kernel's software timelines, whose fences programs signal when they like.

use std::fs::{File, OpenOptions};
use std::os::fd::{FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use rgt::SyncFile;
use rustix::ioctl::{Setter, Updater, ioctl, opcode};

const PATH: &str = "/sys/kernel/debug/sync/sw_sync";

#[repr(C)]
struct CreateFence {
    value: u32,
    name: [u8; 32],
    fence: i32,
}

/// A fence that signals when it is told to, or when this is dropped.
pub(crate) struct SwFence {
    timeline: File,
    file: SyncFile,
}

impl SwFence {
    /// A fence on a timeline of its own.
    pub(crate) fn new() -> Result<Self> {
        let timeline = OpenOptions::new().read(true).write(true).open(PATH);
        let timeline = timeline.context(PATH)?;
        let mut request = CreateFence {
            value: 1,
            name: [0; 32],
            fence: -1,
        };
        // SAFETY: The number and the structure are those of drivers/dma-buf/sw_sync.c.
        unsafe {
            ioctl(
                &timeline,
                Updater::<{ opcode::read_write::<CreateFence>(b'W', 0) }, _>::new(&mut request),
            )
        }
        .context("SW_SYNC_IOC_CREATE_FENCE")?;
        // SAFETY: The kernel made the file for this call.
        let file = unsafe { OwnedFd::from_raw_fd(request.fence) }.into();
        Ok(Self { timeline, file })
    }

    /// The fence as a file.
    pub(crate) fn file(&self) -> &SyncFile {
        &self.file
    }

    /// Signals it.
    pub(crate) fn signal(self) -> Result<()> {
        // SAFETY: As above.
        unsafe {
            ioctl(
                &self.timeline,
                Setter::<{ opcode::write::<u32>(b'W', 1) }, u32>::new(1),
            )
        }
        .context("SW_SYNC_IOC_INC")
    }
}
