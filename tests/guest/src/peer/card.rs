// SPDX-License-Identifier: GPL-2.0

//! Other DRM drivers.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use drm::Device as _;
use drm::buffer::{Buffer as _, DrmFourcc, Handle};
use drm::control::Device as _;
use rgt::Mapping;

use super::{DmaBuf, load};

/// The primary node of a driver's device.
pub(crate) struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card {}
impl drm::control::Device for Card {}

impl Card {
    /// Loads a driver and opens its first device.
    pub(crate) fn of_driver(name: &str) -> Result<Self> {
        load(name)?;
        let mut nodes: Vec<_> = fs::read_dir("/dev/dri")?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().contains("card"))
            .collect();
        nodes.sort();
        nodes
            .into_iter()
            .filter_map(|path| OpenOptions::new().read(true).write(true).open(path).ok())
            .map(Self)
            .find(|card| {
                card.get_driver()
                    .is_ok_and(|driver| driver.name().to_string_lossy() == name)
            })
            .with_context(|| format!("no device of {name}"))
    }

    /// Makes a buffer of so many bytes, whole pages.
    pub(crate) fn dumb(&self, size: u64) -> Result<Dumb<'_>> {
        let pixels = (1024, u32::try_from(size / 4096)?);
        let buffer = self
            .create_dumb_buffer(pixels, DrmFourcc::Xrgb8888, 32)
            .context("CREATE_DUMB")?;
        Ok(Dumb {
            card: self,
            handle: buffer.handle(),
            size,
        })
    }

    /// Imports a buffer.
    pub(crate) fn import(&self, buf: &DmaBuf) -> Result<Dumb<'_>> {
        Ok(Dumb {
            card: self,
            handle: self.prime_fd_to_buffer(buf.as_fd())?,
            size: buf.size()?,
        })
    }
}

/// A buffer of a card. Dropping it closes its handle.
pub(crate) struct Dumb<'a> {
    card: &'a Card,
    handle: Handle,
    size: u64,
}

impl Dumb<'_> {
    pub(crate) fn handle(&self) -> Handle {
        self.handle
    }

    /// Exports it.
    pub(crate) fn export(&self) -> Result<DmaBuf> {
        let flags = rgt::uapi::RGT_PRIME_CLOEXEC | rgt::uapi::RGT_PRIME_RDWR;
        let fd = self.card.buffer_to_prime_fd(self.handle, flags)?;
        Ok(fd.into())
    }

    /// Maps it for the CPU by its card, which does so with its own only.
    pub(crate) fn map(&self) -> Result<Mapping> {
        let offset =
            drm_ffi::mode::dumbbuffer::map(self.card.as_fd(), self.handle.into(), 0, 0)?.offset;
        Ok(Mapping::new(self.card, offset, self.size as usize)?)
    }
}

impl Drop for Dumb<'_> {
    fn drop(&mut self) {
        // The handle is ours.
        let _ = self.card.close_buffer(self.handle);
    }
}
