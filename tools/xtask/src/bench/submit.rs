// SPDX-License-Identifier: GPL-2.0

//! Submission: what a job that does nothing costs the thread that submits it
//! and the whole machine, and how far it is from its interrupt to the waiter.

use std::time::Duration;

use super::figures::Figures;
use super::{APPEND, Benchmark, Bound, Goal, Place, Script};
use crate::guest::{Clock, Machine};

pub(super) const BENCHMARK: Benchmark = Benchmark {
    name: "submit",
    place: Place::Guest(Script {
        machine: Machine {
            name: "bench",
            append: APPEND,
            clock: Clock::Instructions,
            limit: Duration::from_secs(1200),
            ..Machine::DEFAULT
        },
        text: "\
mount -t tracefs tracing /sys/kernel/tracing
rgt-bench submit wake
",
    }),
    unit: "instructions",
    columns: &["call", "queued", "alone"],
    // How many jobs a worker or an interrupt finds at once depends on the device process.
    noise: |figure| match figure.name.rsplit('.').next() {
        Some("call") => (figure.value * 0.1).max(2000.0),
        _ => figure.value * 0.2,
    },
    goals: GOALS,
};

const GOALS: &[Goal] = &[
    Goal {
        what: "CS, nothing named",
        value: |figures| figures.get("empty.call"),
        bound: Bound::AtMost(6000.0),
    },
    Goal {
        what: "each BO named for implicit sync",
        value: |figures| of_each(figures, "named"),
        bound: Bound::AtMost(600.0),
    },
    Goal {
        what: "each external BO that is bound, not named",
        value: |figures| of_each(figures, "bound"),
        bound: Bound::AtMost(250.0),
    },
    Goal {
        what: "CS with 10 000 mappings, of one with one",
        value: |figures| figures.ratio("mappings.10000.call", "mappings.1.call"),
        bound: Bound::AtMost(1.1),
    },
    Goal {
        what: "CS with 4096 private BOs, of one with one",
        value: |figures| figures.ratio("private.4096.call", "private.1.call"),
        bound: Bound::AtMost(1.1),
    },
    Goal {
        what: "a job alone, whole machine",
        value: |figures| figures.get("empty.alone"),
        bound: Bound::AtMost(20_000.0),
    },
    Goal {
        what: "from the interrupt to the waiter",
        value: |figures| figures.get("wake.bo"),
        bound: Bound::AtMost(8000.0),
    },
];

/// Returns what a BO of a kind adds to the call.
fn of_each(figures: &Figures, kind: &str) -> Option<f64> {
    let call = |count: u32| figures.get(&format!("{kind}.{count}.call"));
    Some((call(1000)? - call(100)?) / 900.0)
}
