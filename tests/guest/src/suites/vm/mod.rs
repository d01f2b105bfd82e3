// SPDX-License-Identifier: GPL-2.0

//! VM_CREATE, VM_DESTROY, VM_BIND.

mod access;
mod bind;
mod create;
mod slots;
mod split;

use crate::harness::Suite;

pub(super) const SUITE: Suite = Suite {
    name: "vm",
    needs: &[],
    tags: &[],
    tests: &[
        create::TESTS,
        slots::TESTS,
        bind::TESTS,
        split::TESTS,
        access::TESTS,
    ],
};
