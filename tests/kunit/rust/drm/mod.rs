// SPDX-License-Identifier: GPL-2.0

//! Abstractions of DRM.

mod sched;
