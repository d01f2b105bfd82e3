// SPDX-License-Identifier: GPL-2.0

//! Submission: what a job that does nothing costs the thread that submits it
//! and the whole machine, and how far it is from its interrupt to the waiter.

use std::time::Duration;

use super::{APPEND, Benchmark, Place, Script};
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
    goals: &[],
};
