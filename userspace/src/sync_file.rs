// SPDX-License-Identifier: MIT

//! Sync files: fences as file descriptors, for other devices and other processes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::ioctl;
use crate::uapi;

/// The status of a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceStatus {
    /// It has not signalled.
    Pending,
    /// It has signalled.
    Done,
    /// It has signalled, and what it was to tell the end of failed.
    Failed(Errno),
}

/// A fence in a file.
#[derive(Debug)]
pub struct SyncFile(OwnedFd);

impl From<OwnedFd> for SyncFile {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl AsFd for SyncFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl SyncFile {
    /// Waits for it; `TimedOut` when it does not signal in time.
    pub fn wait(&self, timeout: Duration) -> Result<()> {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let timeout = Timespec::try_from(timeout).map_err(|_| Error::TimedOut)?;
        loop {
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) => return Err(Error::TimedOut),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => {
                    return Err(Error::Os {
                        call: "poll",
                        errno,
                    });
                }
            }
        }
    }

    /// Returns its status.
    pub fn status(&self) -> Result<FenceStatus> {
        let mut info = uapi::sync_file_info::default();
        // SAFETY: Without room for the fences that it is made of, nothing but the structure is
        // written.
        unsafe { ioctl::call_unchecked(&self.0, &mut info) }.map_err(|errno| Error::Os {
            call: "SYNC_IOC_FILE_INFO",
            errno,
        })?;
        Ok(match info.status {
            0 => FenceStatus::Pending,
            status if status > 0 => FenceStatus::Done,
            error => FenceStatus::Failed(Errno::from_raw_os_error(-error)),
        })
    }
}
