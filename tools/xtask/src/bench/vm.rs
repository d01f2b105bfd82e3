// SPDX-License-Identifier: GPL-2.0

//! Address spaces: what it costs to map and unmap pages.

use std::time::Duration;

use super::{APPEND, Benchmark, Bound, Goal, Place, Script};
use crate::guest::{Clock, Machine};

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "vm",
    place: Place::Guest(Script {
        machine: Machine {
            name: "bench",
            append: APPEND,
            clock: Clock::Instructions,
            limit: Duration::from_secs(1200),
            ..Machine::DEFAULT
        },
        text: "rgt-bench vm\n",
    }),
    unit: "instructions",
    columns: &["call", "done"],
    noise: |figure| (figure.value * 0.1).max(2000.0),
    goals: &[
        Goal {
            what: "bind of 65 536 pages, of writing as many words",
            value: |figures| figures.ratio("pages.65536.bind.done", "words.65536.call"),
            bound: Bound::AtMost(1.2),
        },
        Goal {
            what: "unbind of 65 536 pages, of writing as many words",
            value: |figures| figures.ratio("pages.65536.unbind.done", "words.65536.call"),
            bound: Bound::AtMost(1.2),
        },
    ],
};
