// SPDX-License-Identifier: MIT

//! The cost of work to the whole machine: threads of the kernel and interrupts, too.
//!
//! A thread that runs only when no other wants the CPU counts its rounds. The rounds that it lacks
//! against an idle machine are the time that others have used. So waiting for the device does not
//! count, and the CPU is never idle, where its clock would run on without it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::clock::counter;
use crate::policy::{self, Policy};

/// How long an idle machine is looked at.
const CALIBRATION: Duration = Duration::from_millis(200);

/// The thread, until this is dropped. It is made for a machine of one CPU.
pub(crate) struct Filler {
    rounds: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
    /// Nanoseconds of a round.
    round: f64,
}

/// A moment.
#[derive(Clone, Copy)]
struct Moment {
    time: u64,
    rounds: u64,
}

impl Moment {
    /// Returns the time that others have used since `before`, if a round takes so much.
    fn used_since(self, before: Self, round: f64) -> f64 {
        let filled = (self.rounds - before.rounds) as f64 * round;
        ((self.time - before.time) as f64 - filled).max(0.0)
    }
}

impl Filler {
    /// Starts the thread, and sees how fast it is on its own.
    pub(crate) fn start() -> Result<Self> {
        let cpus = thread::available_parallelism()?.get();
        ensure!(cpus == 1, "the machine has {cpus} CPUs, not one");
        let (rounds, stop) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let thread = thread::Builder::new().name("filler".into()).spawn({
            let (rounds, stop) = (Arc::clone(&rounds), Arc::clone(&stop));
            move || {
                policy::set(Policy::BehindAll)?;
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    rounds.store(round, Ordering::Relaxed);
                }
                Ok(())
            }
        })?;
        let mut filler = Self {
            rounds,
            stop,
            thread: Some(thread),
            round: 0.0,
        };
        // It has begun by then.
        thread::sleep(CALIBRATION);
        let before = filler.now();
        thread::sleep(CALIBRATION);
        let after = filler.now();
        ensure!(after.rounds > before.rounds, "the filler does not run");
        filler.round = (after.time - before.time) as f64 / (after.rounds - before.rounds) as f64;
        Ok(filler)
    }

    /// Returns the time that the machine needs for a job, of so many that `work` runs.
    pub(crate) fn per_job(&self, jobs: u64, work: impl FnOnce() -> Result<()>) -> Result<u64> {
        let before = self.now();
        work()?;
        let after = self.now();
        Ok((after.used_since(before, self.round) / jobs as f64) as u64)
    }

    fn now(&self) -> Moment {
        Moment {
            time: counter(),
            rounds: self.rounds.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that failed has not run, which was noticed.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn what_is_missing_in_rounds_was_used() {
        let moment = |time, rounds| Moment { time, rounds };
        let before = moment(1000, 50);
        assert_eq!(moment(1400, 150).used_since(before, 3.0), 100.0);
        assert_eq!(moment(1400, 50).used_since(before, 3.0), 400.0);
        // A tick that did not come is nothing negative.
        assert_eq!(moment(1400, 190).used_since(before, 3.0), 0.0);
    }
}
