// SPDX-License-Identifier: GPL-2.0

//! Fences as files.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A sync file.
pub(crate) struct SyncFile(OwnedFd);

impl AsFd for SyncFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for SyncFile {
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl SyncFile {
    /// Whether all of its fences signal within a time.
    pub(crate) fn wait(&self, timeout: Duration) -> Result<bool> {
        let timeout = Timespec::try_from(timeout)?;
        let mut files = [PollFd::new(&self.0, PollFlags::IN)];
        Ok(poll(&mut files, Some(&timeout))? == 1)
    }
}
