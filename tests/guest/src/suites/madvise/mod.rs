// SPDX-License-Identifier: GPL-2.0

//! BOs whose content nobody needs.

mod advice;
mod purged;

use crate::harness::Suite;

pub(super) const SUITE: Suite = Suite {
    name: "madvise",
    tests: &[advice::TESTS, purged::TESTS],
};
