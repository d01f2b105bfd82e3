// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Abstractions for GPU drivers that are no matter of DRM.

pub(crate) mod buddy;
