// SPDX-License-Identifier: GPL-2.0

//! Other devices and drivers that share buffers.

mod card;
mod dma_buf;
mod fd;
mod heap;
mod module;
mod sw_sync;
mod udmabuf;
mod uevents;
mod vgem;
mod vkms;

pub(crate) use card::{Card, Dumb};
pub(crate) use dma_buf::{Cpu, DmaBuf};
pub(crate) use fd::{receive_fd, send_fd};
pub(crate) use heap::Heap;
pub(crate) use module::load;
pub(crate) use sw_sync::SwFence;
pub(crate) use udmabuf::udmabuf;
pub(crate) use uevents::Uevents;
pub(crate) use vgem::Vgem;
pub(crate) use vkms::{Picture, Vkms};
