// SPDX-License-Identifier: GPL-2.0

//! Observability: debugfs, fdinfo and trace events, against each other and QUERY.

mod clients;
mod events;
mod files;
mod jobs;
mod memory;
mod moves;
mod refusals;
mod removal;
mod tracefs;

use crate::harness::{Suite, Tag};

pub(super) use clients::{HOLDER, hold};
pub(super) use files::{Debugfs, FdInfo, Line};
pub(super) use refusals::Log;
pub(super) use tracefs::values_in_calls;

pub(super) const SUITE: Suite = Suite {
    name: "observe",
    needs: &[],
    tags: &[Tag::Memory],
    tests: &[
        memory::TESTS,
        clients::TESTS,
        moves::TESTS,
        events::TESTS,
        jobs::TESTS,
        refusals::TESTS,
        removal::TESTS,
    ],
};
