// SPDX-License-Identifier: MIT

//! Interfaces that drivers have in common: buffer objects by handle, their mappings, PRIME.

mod card;
mod ours;
mod qxl;
mod vgem;

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use anyhow::Result;

pub(crate) use ours::Ours;
pub(crate) use qxl::Qxl;
pub(crate) use vgem::Vgem;

/// One client of a device.
pub(crate) trait Driver: AsFd {
    /// Makes a BO; gives its handle.
    fn create(&self, size: usize) -> Result<u32>;

    /// The offset to map a BO at.
    fn map_offset(&self, handle: u32) -> Result<u64>;

    /// Closes a BO's handle.
    fn close(&self, handle: u32) -> Result<()> {
        drm_ffi::gem::close(self.as_fd(), handle)?;
        Ok(())
    }

    /// Makes a dma-buf of a BO.
    fn export(&self, handle: u32) -> Result<OwnedFd> {
        let flags = rgt::uapi::RGT_PRIME_CLOEXEC | rgt::uapi::RGT_PRIME_RDWR;
        let answer = drm_ffi::gem::handle_to_fd(self.as_fd(), handle, flags)?;
        // SAFETY: The kernel made the file for this call.
        Ok(unsafe { OwnedFd::from_raw_fd(answer.fd) })
    }

    /// Makes a BO of a dma-buf; gives its handle.
    fn import(&self, buf: BorrowedFd<'_>) -> Result<u32> {
        Ok(drm_ffi::gem::fd_to_handle(self.as_fd(), buf)?.handle)
    }
}
