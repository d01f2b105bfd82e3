// SPDX-License-Identifier: MIT

//! BOs shared with other devices and processes.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::fs::{SeekFrom, seek};

use crate::bo::{Bo, Placement};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::ioctl::{FdToHandle, HandleToFd};
use crate::uapi;

impl Bo {
    /// Makes a dma-buf of the BO: a file that other devices and processes can import or map.
    pub fn export(&self) -> Result<OwnedFd> {
        let mut request = HandleToFd(uapi::drm_prime_handle {
            handle: self.handle(),
            flags: uapi::RGT_PRIME_CLOEXEC | uapi::RGT_PRIME_RDWR,
            fd: -1,
        });
        self.device().call(&mut request)?;
        self.share();
        // SAFETY: The kernel made the file for this call.
        Ok(unsafe { OwnedFd::from_raw_fd(request.0.fd) })
    }

    /// Makes a BO of a dma-buf. One that was exported by the same device is the BO that it was
    /// exported from; another one's memory stays where its exporter has it.
    pub fn import(device: &Device, fd: impl AsFd) -> Result<Self> {
        let fd = fd.as_fd();
        let size = seek(fd, SeekFrom::End(0)).map_err(|errno| Error::Os {
            call: "lseek",
            errno,
        })?;
        let handle = Handle::import(device, || {
            let mut request = FdToHandle(uapi::drm_prime_handle {
                handle: 0,
                flags: 0,
                fd: fd.as_raw_fd(),
            });
            device.call(&mut request)?;
            Ok(request.0.handle)
        })?;
        let made_as = Self::builder(size).placement(Placement::GTT);
        Ok(Self::of_handle(device, handle, size, made_as))
    }
}
