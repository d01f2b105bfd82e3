// SPDX-License-Identifier: GPL-2.0

//! vgem, whose fences programs signal.

use std::ops::Deref;
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use rustix::ioctl::{Setter, Updater, ioctl, opcode};

use super::{Card, Dumb};

#[repr(C)]
struct Attach {
    handle: u32,
    flags: u32,
    out_fence: u32,
    pad: u32,
}

#[repr(C)]
struct Signal {
    fence: u32,
    flags: u32,
}

/// The device of vgem.
pub(crate) struct Vgem(Card);

impl Deref for Vgem {
    type Target = Card;

    fn deref(&self) -> &Card {
        &self.0
    }
}

impl Vgem {
    /// Opens it.
    pub(crate) fn open() -> Result<Self> {
        Card::of_driver("vgem").map(Self)
    }

    /// Puts a fence on a buffer, of one who reads it or writes it. It signals after ten seconds at
    /// the latest.
    pub(crate) fn attach_fence(&self, buffer: &Dumb<'_>, write: bool) -> Result<VgemFence<'_>> {
        let mut request = Attach {
            handle: buffer.handle().into(),
            flags: write.into(),
            out_fence: 0,
            pad: 0,
        };
        // SAFETY: The number and the structure are those of drm/vgem_drm.h.
        unsafe {
            ioctl(
                self.0.as_fd(),
                Updater::<{ opcode::read_write::<Attach>(b'd', 0x41) }, _>::new(&mut request),
            )
        }
        .context("VGEM_FENCE_ATTACH")?;
        Ok(VgemFence {
            vgem: self,
            fence: Some(request.out_fence),
        })
    }
}

/// A fence, signalled when dropped.
pub(crate) struct VgemFence<'a> {
    vgem: &'a Vgem,
    fence: Option<u32>,
}

impl VgemFence<'_> {
    /// Signals it.
    pub(crate) fn signal(mut self) -> Result<()> {
        self.finish()
    }

    fn finish(&mut self) -> Result<()> {
        let Some(fence) = self.fence.take() else {
            return Ok(());
        };
        // SAFETY: As above.
        unsafe {
            ioctl(
                self.vgem.0.as_fd(),
                Setter::<{ opcode::write::<Signal>(b'd', 0x42) }, _>::new(Signal {
                    fence,
                    flags: 0,
                }),
            )
        }
        .context("VGEM_FENCE_SIGNAL")
    }
}

impl Drop for VgemFence<'_> {
    fn drop(&mut self) {
        // One that has timed out says so, and is signalled too.
        let _ = self.finish();
    }
}
