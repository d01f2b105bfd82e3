// SPDX-License-Identifier: GPL-2.0

//! Signals that interrupt every call: nothing is lost, nothing is done twice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{io, ptr};

use anyhow::{Context as _, Result, ensure};
use rgt::{Syncobj, WaitFor, WaitFrom};
use rustix::process::{Signal, getpid, kill_process};

use super::tally::Tally;
use crate::expect::same;
use crate::harness::{Helper, Outcome, Test, tests};
use crate::rig::{MIB, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![signals];

/// The helper that signals interrupt.
pub(crate) const INTERRUPTED: &str = "interrupted";

/// Time between two signals, where a signal costs little.
const EVERY: Duration = Duration::from_micros(300);
const LIMIT: Duration = Duration::from_secs(450);

static SEEN: AtomicU64 = AtomicU64::new(0);

extern "C" fn note(_: libc::c_int) {
    SEEN.fetch_add(1, Ordering::Relaxed);
}

/// Has signals counted. Without SA_RESTART, calls tell that they were interrupted.
fn count_signals() -> Outcome {
    // SAFETY: All zeros is a valid set of flags, mask and handler.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = note as *const () as usize;
    // SAFETY: The handler only adds to an atomic.
    let set = unsafe { libc::sigaction(libc::SIGALRM, &action, ptr::null_mut()) } == 0;
    ensure!(set, "no handler: {}", io::Error::last_os_error());
    Ok(())
}

/// Returns the cost of a signal, from its delivery to the return of its handler.
fn cost_of_a_signal() -> Result<Duration> {
    const TIMES: usize = 50;
    let mut least = Duration::MAX;
    for _ in 0..TIMES {
        let start = Instant::now();
        // It comes before the call returns, as this is the only thread.
        kill_process(getpid(), Signal::ALARM)?;
        least = least.min(start.elapsed());
    }
    Ok(least)
}

/// Has the process interrupted from here on, or no more.
fn interrupt(every: Duration) -> Outcome {
    let interval = libc::timeval {
        tv_sec: every.as_secs().try_into()?,
        tv_usec: every.subsec_micros().into(),
    };
    let timer = libc::itimerval {
        it_interval: interval,
        it_value: interval,
    };
    // SAFETY: The kernel only reads the structure.
    let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, ptr::null_mut()) } == 0;
    ensure!(set, "no timer: {}", io::Error::last_os_error());
    Ok(())
}

fn signals() -> Outcome {
    Helper::start(INTERRUPTED, &[])?.finish(LIMIT)
}

/// The helper. Big BOs that must be made, moved and mapped, so that there is something to interrupt.
pub(crate) fn run_jobs(_: &[&str]) -> Outcome {
    const JOBS: u64 = 150;
    let rig = Rig::new()?;
    let tally = Tally::new(&rig, JOBS)?;
    let line = Syncobj::new(&rig.device)?;
    let engines = rig.device.engines();
    count_signals()?;
    // The next one is due this long after the last was delivered: with less time than signals
    // themselves take, nothing else would run.
    let every = EVERY.max(4 * cost_of_a_signal()?);
    SEEN.store(0, Ordering::Relaxed);
    interrupt(every)?;
    for job in 0..JOBS {
        let bo = rig.vram(MIB)?;
        let mut work = rig.work(engines[job as usize % engines.len()])?;
        let at = work.writes(&bo)?;
        work.commands.fill(at, MIB, job as u32)?;
        tally.count(&mut work, job)?;
        if job > 0 {
            work.wait_for(line.at(job));
        }
        work.signal(line.at(job + 1));
        work.submit().with_context(|| format!("job {job}"))?;
        bo.wait(PATIENCE, WaitFor::All)?;
        same(
            "what a job wrote",
            bo.map()?.read(MIB as usize - 4),
            job as u32,
        )?;
        work.wait()?;
    }
    line.wait_at(JOBS, PATIENCE, WaitFrom::Now)?;
    interrupt(Duration::ZERO)?;
    let seen = SEEN.load(Ordering::Relaxed);
    ensure!(seen > JOBS, "only {seen} signals came");
    // Each waited for the one before it.
    for job in 0..JOBS {
        same("the number of a job", tally.number(job), job + 1)?;
    }
    same("jobs", tally.total(), JOBS)
}
