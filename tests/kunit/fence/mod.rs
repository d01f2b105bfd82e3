// SPDX-License-Identifier: GPL-2.0

//! The driver's fences, without hardware.

mod sync;
mod timeline;
