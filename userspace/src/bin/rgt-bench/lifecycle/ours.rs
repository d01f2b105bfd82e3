// SPDX-License-Identifier: MIT

//! This driver's calls, without what the winsys library does around them.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::Result;
use rgt::{Device, Placement, uapi};

use super::Driver;

/// BOs of one kind of memory.
pub(super) struct Ours<'a> {
    device: &'a Device,
    name: &'static str,
    placement: Placement,
}

impl<'a> Ours<'a> {
    pub(super) fn new(device: &'a Device, name: &'static str, placement: Placement) -> Self {
        Self {
            device,
            name,
            placement,
        }
    }
}

impl Driver for Ours<'_> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }

    fn create(&self, size: usize) -> Result<u32> {
        let mut request = uapi::drm_rgt_gem_create {
            size: size as u64,
            placement: self.placement.bits(),
            ..Default::default()
        };
        self.device.call(&mut request)?;
        Ok(request.handle)
    }

    fn map_offset(&self, handle: u32) -> Result<u64> {
        let mut request = uapi::drm_rgt_gem_mmap_offset {
            handle,
            ..Default::default()
        };
        self.device.call(&mut request)?;
        Ok(request.offset)
    }

    fn close(&self, handle: u32) -> Result<()> {
        let mut request = uapi::drm_gem_close { handle, pad: 0 };
        Ok(self.device.call(&mut request)?)
    }
}
