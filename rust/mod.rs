// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Abstractions that the kernel crate lacks.
//!
//! Nothing here knows this driver. A file sits at the path that it would have under
//! `rust/kernel/`, but for the work-arounds in `unpatched/`, which no driver names.

pub(crate) mod alloc;
pub(crate) mod bindings;
pub(crate) mod capability;
pub(crate) mod devcoredump;
pub(crate) mod devres;
pub(crate) mod dma;
pub(crate) mod dma_buf;
pub(crate) mod dma_fence;
pub(crate) mod dma_resv;
pub(crate) mod drm;
pub(crate) mod gpu;
pub(crate) mod id_table;
pub(crate) mod io;
pub(crate) mod mm;
pub(crate) mod module;
pub(crate) mod pci;
pub(crate) mod pm;
pub(crate) mod shared_words;
pub(crate) mod shrinker;
pub(crate) mod sync;
pub(crate) mod sync_file;
pub(crate) mod trace;
mod unpatched;
pub(crate) mod user_fence;
pub(crate) mod workqueue;
