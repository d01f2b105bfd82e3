// SPDX-License-Identifier: GPL-2.0

//! CS.

mod arguments;
mod fault;
mod packets;
mod sync;

use crate::harness::Suite;

pub(super) const SUITE: Suite = Suite {
    name: "cs",
    tests: &[packets::TESTS, arguments::TESTS, fault::TESTS, sync::TESTS],
};
