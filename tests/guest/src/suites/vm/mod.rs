// SPDX-License-Identifier: GPL-2.0

//! VM_CREATE, VM_DESTROY, VM_BIND.

mod access;
mod bind;
mod create;
mod model;
mod queues;
mod seen;
mod slots;
mod split;

use crate::harness::{Suite, Tag};

pub(super) use seen::{numbered, seen_at};

pub(super) const SUITE: Suite = Suite {
    name: "vm",
    needs: &[],
    tags: &[Tag::Long, Tag::SmallVram],
    tests: &[
        create::TESTS,
        slots::TESTS,
        bind::TESTS,
        split::TESTS,
        queues::TESTS,
        model::TESTS,
        access::TESTS,
    ],
};
