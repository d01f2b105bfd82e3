// SPDX-License-Identifier: GPL-2.0

//! Abstractions.

mod devcoredump;
mod devres;
pub(super) mod dma_fence;
pub(super) mod dma_resv;
pub(super) mod drm;
pub(super) mod mm;
mod module;
mod pci;
mod pm;
mod shrinker;
mod sync_file;
mod workqueue;
