// SPDX-License-Identifier: GPL-2.0

//! Which BOs are in VRAM when there is not enough for all.
//!
//! For the defaults of the module's parameters. With `lru=1` the tests that compare with LRU fail,
//! and tell what that moves.

mod back;
mod rounds;
mod victims;
mod watch;

use crate::harness::{Suite, Tag};

pub(super) const SUITE: Suite = Suite {
    name: "policy",
    needs: &[],
    tags: &[Tag::Memory],
    tests: &[rounds::TESTS, back::TESTS, victims::TESTS],
};
