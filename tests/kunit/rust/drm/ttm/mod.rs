// SPDX-License-Identifier: GPL-2.0

//! TTM with a driver whose device is made of memory.

mod bo;
mod bos;
mod bulk;
mod delayed;
mod device;
mod evict;
mod evict_all;
pub(in crate::tests) mod fake;
mod handles;
mod hibernation;
mod kernel;
mod leave;
mod moves;
mod pinned;
mod purge;
mod share;
pub(in crate::tests) mod shared;
mod shrink;
mod tt;
