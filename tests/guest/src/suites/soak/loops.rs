// SPDX-License-Identifier: GPL-2.0

//! Threads that do something again and again, and stop together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::harness::{Outcome, say};

/// What the threads share.
pub(super) struct Loops {
    end: Instant,
    failed: AtomicBool,
    /// Held by those who need a system that stays awake, and by those who send it to sleep.
    awake: Mutex<()>,
    gate: Gate,
}

/// What stops the threads between two rounds.
pub(super) struct Gate(RwLock<()>);

impl Gate {
    /// Does something while no thread is in a round, but those that keep the system awake.
    pub(super) fn closed<T>(&self, f: impl FnOnce() -> T) -> T {
        let _closed = self.0.write().unwrap_or_else(PoisonError::into_inner);
        f()
    }
}

impl Loops {
    /// Threads that run for a time.
    pub(super) fn new(time: Duration) -> Self {
        Self {
            end: Instant::now() + time,
            failed: AtomicBool::new(false),
            awake: Mutex::new(()),
            gate: Gate(RwLock::new(())),
        }
    }

    /// Rounds beside all others.
    pub(super) fn beside(&self, name: &str, mut round: impl FnMut(u32) -> Outcome) -> Outcome {
        self.again(name, |number| {
            let _open = self.gate.0.read().unwrap_or_else(PoisonError::into_inner);
            round(number)
        })
    }

    /// Rounds in which the system does not sleep, with pauses in which it can.
    pub(super) fn awake(&self, name: &str, mut round: impl FnMut(u32) -> Outcome) -> Outcome {
        self.again(name, |number| {
            let done = {
                let _awake = self.awake.lock().unwrap_or_else(PoisonError::into_inner);
                round(number)
            };
            self.pause(Duration::from_secs(4));
            done
        })
    }

    /// Rounds in which the GPU or the system sleeps.
    pub(super) fn asleep(
        &self,
        name: &str,
        mut round: impl FnMut(u32, &Gate) -> Outcome,
    ) -> Outcome {
        self.again(name, |number| {
            self.pause(Duration::from_secs(2));
            let _awake = self.awake.lock().unwrap_or_else(PoisonError::into_inner);
            round(number, &self.gate)
        })
    }

    fn goes_on(&self) -> bool {
        !self.failed.load(Ordering::Relaxed) && Instant::now() < self.end
    }

    fn pause(&self, time: Duration) {
        let end = Instant::now() + time;
        while self.goes_on() && Instant::now() < end {
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// One round at least, until it is time or a thread fails.
    fn again(&self, name: &str, mut round: impl FnMut(u32) -> Outcome) -> Outcome {
        let mut rounds = 0;
        while self.goes_on() {
            let done = round(rounds).with_context(|| format!("{name}, round {rounds}"));
            if done.is_err() {
                self.failed.store(true, Ordering::Relaxed);
                return done;
            }
            rounds += 1;
        }
        say(&format!("{rounds} {name}"));
        ensure!(
            rounds > 0 || self.failed.load(Ordering::Relaxed),
            "no {name} in time"
        );
        Ok(())
    }
}
