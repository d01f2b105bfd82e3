// SPDX-License-Identifier: GPL-2.0

//! Clients that cannot starve, exhaust or stop each other, however busy one of them is.

mod bounds;
mod calls;
mod exit;
mod turns;

pub(super) use calls::{CALLER, call};
pub(super) use exit::{HOARDER, hoard};

use crate::harness::{Suite, Tag};

pub(super) const SUITE: Suite = Suite {
    name: "fair",
    needs: &[],
    tags: &[Tag::SmallVram],
    tests: &[turns::TESTS, bounds::TESTS, calls::TESTS, exit::TESTS],
};
