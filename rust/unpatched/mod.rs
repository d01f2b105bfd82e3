// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The work-arounds that an unpatched kernel forces.
//!
//! The rest of [`rust`](super) only adds to the kernel: a file there moves to `rust/kernel/` as it
//! is. What is here gets round a limit of the kernel crate, or of C code, and goes once that limit
//! has gone. `docs/upstream.md` says for each file which change that is. The abstractions re-export
//! what drivers use, at the paths that it will have.

pub(crate) mod device;
pub(crate) mod driver;
pub(crate) mod ioctl;
pub(crate) mod ttm_object;
