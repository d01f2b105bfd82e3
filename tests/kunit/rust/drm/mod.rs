// SPDX-License-Identifier: GPL-2.0

//! Abstractions of DRM.

mod driver;
mod exec;
mod gpusvm;
mod gpuvm;
mod ioctl;
mod sched;
mod syncobj;
pub(in crate::tests) mod ttm;
