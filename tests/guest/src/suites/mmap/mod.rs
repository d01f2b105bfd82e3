// SPDX-License-Identifier: GPL-2.0

//! GEM_MMAP_OFFSET and what mmap makes of it.

mod access;
mod arguments;
mod caching;
mod debugger;
mod hidden;
mod room;

use crate::harness::{Suite, Tag};
use crate::rig::{Make, PAGE, SHARED, SYSTEM};

pub(super) const SUITE: Suite = Suite {
    name: "mmap",
    needs: &[],
    tags: &[Tag::Memory, Tag::Dma],
    tests: &[
        arguments::TESTS,
        access::TESTS,
        caching::TESTS,
        debugger::TESTS,
        hidden::TESTS,
        room::TESTS,
    ],
};

const STEP: usize = PAGE as usize;

const MAPPABLE: [(&str, Make); 5] = [
    SHARED[0],
    SHARED[1],
    SHARED[2],
    SHARED[3],
    ("system", SYSTEM),
];
