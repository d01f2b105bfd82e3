// SPDX-License-Identifier: GPL-2.0

//! Jobs of many: their order, what they wait for, and what becomes of the others when one of them
//! hangs the GPU or faults.

mod contexts;
mod dump;
mod explicit;
mod fault;
mod hang;
mod load;
mod priority;
mod shared;
mod signals;
mod slow;
mod syncs;
mod tally;
mod usage;
mod user_fences;

pub(super) use load::{SUBMITTER, work};
pub(super) use shared::{PARTNER, take_part};
pub(super) use signals::{INTERRUPTED, run_jobs};
pub(super) use user_fences::{LATE, be_late, write_late};

use crate::harness::{Suite, Tag};

pub(super) const SUITE: Suite = Suite {
    name: "submit",
    needs: &[],
    tags: &[Tag::Long],
    tests: &[
        contexts::TESTS,
        syncs::TESTS,
        explicit::TESTS,
        shared::TESTS,
        priority::TESTS,
        signals::TESTS,
        load::TESTS,
        slow::TESTS,
        usage::TESTS,
        user_fences::TESTS,
        fault::TESTS,
        hang::TESTS,
        dump::TESTS,
    ],
};
