// SPDX-License-Identifier: GPL-2.0

//! Memory of processes: what it costs to bind it, to have it fetched again when it has changed, and
//! to upload it.

use std::time::Duration;

use super::{APPEND, Benchmark, Bound, Goal, Place, Script};
use crate::guest::{Clock, Machine};

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "userptr",
    place: Place::Guest(Script {
        machine: Machine {
            name: "bench",
            append: APPEND,
            clock: Clock::Instructions,
            limit: Duration::from_secs(1200),
            ..Machine::DEFAULT
        },
        text: "rgt-bench userptr\n",
    }),
    unit: "instructions",
    columns: &["bind", "first", "next", "change", "again", "unbind"],
    noise: |figure| (figure.value * 0.1).max(2000.0),
    goals: &[Goal {
        what: "an upload from where the data is, of one by way of a BO",
        value: |figures| figures.ratio("upload.direct", "upload.staged"),
        bound: Bound::AtMost(0.5),
    }],
};
