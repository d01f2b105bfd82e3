// SPDX-License-Identifier: GPL-2.0

//! In-kernel tests. The folders are those of the code under test.

mod bo;
mod doctests;
mod fake;
mod fence;
mod hw;
mod placement;
mod resource_mgr;
mod rust;
mod sched;
mod wait;
