// SPDX-License-Identifier: GPL-2.0

//! GEM_CREATE, GEM_INFO, GEM_CLOSE, and the GEM calls that are not there yet.

mod content;
mod create;
mod handle;

use crate::harness::{Suite, Tag};
use crate::rig::{HIDDEN, Make, SHARED, SYSTEM};

pub(super) const SUITE: Suite = Suite {
    name: "gem",
    needs: &[],
    tags: &[Tag::Memory, Tag::Dma, Tag::LowMemory],
    tests: &[create::TESTS, content::TESTS, handle::TESTS],
};

const EVERY_KIND: [(&str, Make); 6] = [
    SHARED[0],
    SHARED[1],
    SHARED[2],
    SHARED[3],
    ("hidden VRAM", HIDDEN),
    ("system", SYSTEM),
];
