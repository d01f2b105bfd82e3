// SPDX-License-Identifier: GPL-2.0

//! Runtime power management: a GPU that nobody uses sleeps, in D3, and what needs it wakes it.

mod asleep;
mod auto;
mod awake;
mod content;
mod gone;
mod load;
mod system;

use crate::harness::{Need, Suite, Tag};

pub(super) use auto::{Auto, SHORT};

pub(super) const SUITE: Suite = Suite {
    name: "runtime-pm",
    needs: &[Need::LastOfBoot],
    tags: &[Tag::Long],
    tests: &[
        asleep::TESTS,
        awake::TESTS,
        content::TESTS,
        system::TESTS,
        load::TESTS,
        gone::TESTS,
    ],
};
