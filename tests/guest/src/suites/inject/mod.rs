// SPDX-License-Identifier: GPL-2.0

//! Every allocation of every call fails once: the call says so, leaves nothing behind, and no
//! content is lost. What is left is memory in use, which the tests see, or a leak, which the scan
//! sees that ends each of their guests.

mod backup;
mod calls;
mod fail;
mod faults;
mod moves;

use crate::harness::Suite;
use fail::each_allocation;

pub(super) const SUITE: Suite = Suite {
    name: "inject",
    tests: &[calls::TESTS, moves::TESTS, faults::TESTS],
};

/// For a guest with swap.
pub(super) const BACKUP: Suite = Suite {
    name: "inject-backup",
    tests: &[backup::TESTS],
};
