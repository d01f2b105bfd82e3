// SPDX-License-Identifier: GPL-2.0

//! Abstractions.

mod devres;
mod dma_fence;
mod drm;
mod workqueue;
