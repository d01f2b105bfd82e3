// SPDX-License-Identifier: GPL-2.0

//! VM_CREATE, VM_DESTROY, VM_BIND.

mod access;
mod bind;
mod create;
mod split;

use crate::harness::Suite;

pub(super) const SUITE: Suite = Suite {
    name: "vm",
    needs: &[],
    tags: &[],
    tests: &[create::TESTS, bind::TESTS, split::TESTS, access::TESTS],
};
