// SPDX-License-Identifier: GPL-2.0

//! In-kernel tests.

mod bo;
mod devcoredump;
mod exec;
mod fake;
mod fence;
mod gpuvm;
mod ioctl;
mod manager;
mod placement;
mod policy;
mod resv;
mod rust;
mod shrinker;
mod syncobj;
mod table;
mod ttm;
mod wait;
