// SPDX-License-Identifier: GPL-2.0

//! Shared buffers as any process sees them: their files.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use rgt::{Mapping, SyncFile};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use rustix::ioctl::{Setter, Updater, ioctl, opcode};

const SYNC_READ: u64 = 1;
const SYNC_WRITE: u64 = 2;
const SYNC_END: u64 = 4;

#[repr(C)]
struct ExportSyncFile {
    flags: u32,
    fd: i32,
}

/// An access of the CPU to a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cpu {
    Reads,
    Writes,
}

impl Cpu {
    fn flag(self) -> u64 {
        match self {
            Self::Reads => SYNC_READ,
            Self::Writes => SYNC_WRITE,
        }
    }
}

/// A dma-buf.
pub(crate) struct DmaBuf {
    fd: OwnedFd,
    /// Whether DMA_BUF_IOCTL_SYNC does what it should.
    syncs: bool,
}

impl AsFd for DmaBuf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<OwnedFd> for DmaBuf {
    fn from(fd: OwnedFd) -> Self {
        Self { fd, syncs: true }
    }
}

impl DmaBuf {
    /// A buffer whose exporter does not cope with DMA_BUF_IOCTL_SYNC.
    pub(super) fn without_sync(fd: OwnedFd) -> Self {
        Self { fd, syncs: false }
    }

    /// Bytes.
    pub(crate) fn size(&self) -> Result<u64> {
        Ok(seek(&self.fd, SeekFrom::End(0))?)
    }

    /// Maps all of it for the CPU.
    pub(crate) fn map(&self) -> Result<Mapping> {
        Ok(Mapping::new(&self.fd, 0, self.size()? as usize)?)
    }

    /// Accesses it by the CPU, between what DMA_BUF_IOCTL_SYNC demands.
    pub(crate) fn access<T>(&self, cpu: Cpu, f: impl FnOnce(&Mapping) -> T) -> Result<T> {
        let map = self.map()?;
        self.sync(cpu.flag()).context("beginning CPU access")?;
        let result = f(&map);
        self.sync(cpu.flag() | SYNC_END)
            .context("ending CPU access")?;
        Ok(result)
    }

    fn sync(&self, flags: u64) -> Result<(), Errno> {
        if !self.syncs {
            return Ok(());
        }
        // SAFETY: The number and the structure are those of linux/dma-buf.h.
        unsafe {
            ioctl(
                &self.fd,
                Setter::<{ opcode::write::<u64>(b'b', 0) }, u64>::new(flags),
            )
        }
    }

    /// Returns the fences that the next such access has to wait for.
    pub(crate) fn export_sync_file(&self, cpu: Cpu) -> Result<SyncFile> {
        let mut request = ExportSyncFile {
            flags: cpu.flag() as u32,
            fd: -1,
        };
        // SAFETY: As above.
        unsafe {
            ioctl(
                &self.fd,
                Updater::<{ opcode::read_write::<ExportSyncFile>(b'b', 2) }, _>::new(&mut request),
            )
        }
        .context("EXPORT_SYNC_FILE")?;
        // SAFETY: The kernel made the file for this call.
        Ok(unsafe { OwnedFd::from_raw_fd(request.fd) }.into())
    }

    /// Has others wait for the fences of a sync file, as for one who does this.
    pub(crate) fn import_sync_file(&self, cpu: Cpu, file: &SyncFile) -> Result<()> {
        use std::os::fd::AsRawFd;
        let request = ExportSyncFile {
            flags: cpu.flag() as u32,
            fd: file.as_fd().as_raw_fd(),
        };
        // SAFETY: As above.
        unsafe {
            ioctl(
                &self.fd,
                Setter::<{ opcode::write::<ExportSyncFile>(b'b', 3) }, _>::new(request),
            )
        }
        .context("IMPORT_SYNC_FILE")
    }

    /// Returns whether such an access need not wait, within a time.
    pub(crate) fn poll(&self, cpu: Cpu, timeout: Duration) -> Result<bool> {
        let event = match cpu {
            Cpu::Reads => PollFlags::IN,
            Cpu::Writes => PollFlags::OUT,
        };
        let timeout = Timespec::try_from(timeout)?;
        let mut files = [PollFd::new(&self.fd, event)];
        Ok(poll(&mut files, Some(&timeout))? == 1)
    }
}
