// SPDX-License-Identifier: MIT

//! Primary nodes, which other drivers' calls need.

use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use drm::Device as _;

/// The primary node of a device, opened.
pub(super) struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card {}

impl Card {
    /// Opens the driver's first device, if there is one.
    pub(super) fn of_driver(name: &str) -> Result<Option<Self>> {
        for entry in fs::read_dir("/dev/dri")? {
            let path = entry?.path();
            let file = path.file_name().unwrap_or_default();
            if !file.to_string_lossy().starts_with("card") {
                continue;
            }
            let node = OpenOptions::new().read(true).write(true).open(&path);
            let card = Self(node.with_context(|| path.display().to_string())?);
            if card.get_driver()?.name() == name {
                return Ok(Some(card));
            }
        }
        Ok(None)
    }
}
