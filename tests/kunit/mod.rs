// SPDX-License-Identifier: GPL-2.0

//! In-kernel tests.

mod exec;
mod fake;
mod fence;
mod ioctl;
mod resv;
