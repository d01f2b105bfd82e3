// SPDX-License-Identifier: GPL-2.0 OR MIT

//! DRM abstractions that the kernel crate lacks.

pub(crate) mod debugfs;
pub(crate) mod exec;
pub(crate) mod fdinfo;
pub(crate) mod file;
pub(crate) mod gem;
pub(crate) mod gpusvm;
pub(crate) mod gpuvm;
pub(crate) mod prime;
pub(crate) mod print;
pub(crate) mod sched;
pub(crate) mod syncobj;
pub(crate) mod timeout;
pub(crate) mod ttm;
pub(crate) mod wedged;

pub(crate) use crate::rust::unpatched::{
    device,
    driver,
    ioctl, //
};
