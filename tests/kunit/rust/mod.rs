// SPDX-License-Identifier: GPL-2.0

//! Abstractions.

mod devres;
pub(super) mod dma_fence;
mod drm;
mod workqueue;
