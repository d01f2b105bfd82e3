// SPDX-License-Identifier: GPL-2.0

//! Errors that the root port above a GPU detects, which the kernel has the driver recover from.

mod asleep;
mod fatal;
mod gone;
mod non_fatal;
mod port;

use crate::harness::{Need, Suite};

pub(super) use port::{Port, Severity};

pub(super) const SUITE: Suite = Suite {
    name: "bus-errors",
    needs: &[Need::TwoGpus, Need::Monitor, Need::LastOfBoot],
    tags: &[],
    tests: &[
        non_fatal::TESTS,
        fatal::TESTS,
        asleep::TESTS,
        // After it there is nothing left of the second GPU.
        gone::TESTS,
    ],
};
