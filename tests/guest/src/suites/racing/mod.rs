// SPDX-License-Identifier: GPL-2.0

//! Eviction of a BO while it is in use.

mod binding;
mod cpu;
mod jobs;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Result, anyhow};

use crate::harness::{Length, Need, Outcome, Suite, Tag, tests};
use crate::rig::Pressure;

pub(super) use binding::{WINDOW, bind_look_unbind, numbered};

use binding::{bound_and_unbound, bound_elsewhere};
use cpu::{faulted_in, written};
use jobs::{used_by_jobs, used_by_one_long_job};

pub(super) const SUITE: Suite = Suite {
    name: "racing",
    needs: &[Need::SmallVram],
    tags: &[Tag::Memory, Tag::Long],
    tests: &[tests![
        written,
        faulted_in,
        used_by_jobs,
        used_by_one_long_job,
        bound_and_unbound,
        bound_elsewhere,
    ]],
};

/// How often everything that is in VRAM is evicted.
fn rounds() -> u32 {
    Length::choose(5, 1000)
}

/// Evicts it. The cost of the first use alone would be most of a test's time.
fn pressure() -> Result<Pressure> {
    let pressure = Pressure::new()?;
    pressure.round()?;
    Ok(pressure)
}

/// Runs `work` again and again in a thread of its own, while everything that is in VRAM is evicted
/// a few times.
fn under(pressure: &Pressure, work: impl FnMut() -> Outcome + Send) -> Outcome {
    against(work, || (0..rounds()).try_for_each(|_| pressure.round()))
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
