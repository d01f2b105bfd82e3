// SPDX-License-Identifier: GPL-2.0

//! BOs whose content is not needed.

mod advice;
mod purged;

use crate::harness::{Suite, Tag};

pub(super) const SUITE: Suite = Suite {
    name: "madvise",
    needs: &[],
    tags: &[Tag::Memory, Tag::LowMemory],
    tests: &[advice::TESTS, purged::TESTS],
};
