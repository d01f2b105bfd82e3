// SPDX-License-Identifier: GPL-2.0

//! CS.

mod arguments;
mod arrays;
mod fault;
mod in_c;
mod packets;
mod sync;

use crate::harness::{Suite, Tag};

pub(super) const SUITE: Suite = Suite {
    name: "cs",
    needs: &[],
    tags: &[Tag::Dma],
    tests: &[
        packets::TESTS,
        arguments::TESTS,
        arrays::TESTS,
        fault::TESTS,
        sync::TESTS,
        in_c::TESTS,
    ],
};
