// SPDX-License-Identifier: GPL-2.0

//! Eviction of a BO while somebody does something with it.

mod binding;
mod cpu;
mod jobs;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Result, anyhow};

use crate::harness::{Length, Outcome, Suite, tests};
use crate::rig::Pressure;

use binding::{bound_and_unbound, bound_elsewhere};
use cpu::{faulted_in, written};
use jobs::{used_by_jobs, used_by_one_long_job};

pub(super) const SUITE: Suite = Suite {
    name: "racing",
    tests: &[tests![
        written,
        faulted_in,
        used_by_jobs,
        used_by_one_long_job,
        bound_and_unbound,
        bound_elsewhere,
    ]],
};

/// Runs `work` again and again in a thread of its own, while everything that is in VRAM is evicted
/// a few times.
fn under_pressure(work: impl FnMut() -> Outcome + Send) -> Outcome {
    let pressure = Pressure::new()?;
    // What only its first use costs would be most of the time.
    pressure.round()?;
    against(work, || {
        for _ in 0..Length::choose(3, 300) {
            pressure.round()?;
        }
        Ok(())
    })
}

/// Runs `work` again and again in a thread of its own, until `other` is done.
fn against(
    mut work: impl FnMut() -> Outcome + Send,
    other: impl FnOnce() -> Result<()>,
) -> Outcome {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                work()?;
            }
            work()
        });
        let other = other();
        stop.store(true, Ordering::Relaxed);
        let worked = worker
            .join()
            .unwrap_or_else(|_| Err(anyhow!("the worker panicked")));
        other.and(worked)
    })
}
