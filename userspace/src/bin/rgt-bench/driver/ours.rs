// SPDX-License-Identifier: MIT

//! This driver's calls, without what the winsys library does around them.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::Result;
use rgt::{Device, Placement, uapi};

use super::Driver;

/// BOs of one kind of memory.
pub(crate) struct Ours {
    device: Device,
    placement: Placement,
}

impl Ours {
    pub(crate) fn new(device: &Device, placement: Placement) -> Self {
        Self {
            device: device.clone(),
            placement,
        }
    }
}

impl AsFd for Ours {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl Driver for Ours {
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
}
