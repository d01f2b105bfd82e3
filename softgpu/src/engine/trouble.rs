// SPDX-License-Identifier: GPL-2.0

//! Trouble that somebody asks an engine for: to hang, to be slow.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Engine, Stop};

/// What ends a hang.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// A reset of the engine, or of the device.
    EngineReset,
    /// A reset of the device. One of the engine does nothing.
    DeviceReset,
}

/// The trouble that an engine is in, or soon will be.
#[derive(Default)]
pub(super) struct Trouble {
    /// It is to hang at its next packet.
    next: Option<Hang>,
    /// It hangs.
    now: Option<Hang>,
    /// How many times as long packets take; 0 and 1 are the normal speed.
    factor: u32,
}

/// How long an engine sleeps that nothing but a reset wakes; then it sleeps on.
const LONG: Duration = Duration::from_secs(60);

impl Engine {
    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hangs at the next packet.
    pub fn hang(&self, until: Hang) {
        self.trouble().next = Some(until);
    }

    /// Whether it hangs.
    pub fn hung(&self) -> bool {
        self.trouble().now.is_some()
    }

    /// Makes packets take `factor` times as long. Device time stays the same.
    pub fn slow_down(&self, factor: u32) {
        self.trouble().factor = factor;
    }

    /// Whether it hangs so that its own reset does nothing.
    pub(super) fn ignores_reset(&self) -> bool {
        self.trouble().now == Some(Hang::DeviceReset)
    }

    /// The engine was reset. A hang that has not begun is still to come.
    pub(super) fn end_hang(&self) {
        self.trouble().now = None;
    }

    /// Called before each packet: this is where an engine hangs.
    pub(super) fn before_packet(&self) -> Result<(), Stop> {
        let mut trouble = self.trouble();
        let Some(hang) = trouble.next.take() else {
            return Ok(());
        };
        trouble.now = Some(hang);
        drop(trouble);
        loop {
            self.sleep(LONG)?;
        }
    }

    /// Called after each packet that works, with when it began.
    pub(super) fn after_packet(&self, began: Instant) -> Result<(), Stop> {
        let factor = self.trouble().factor;
        match factor {
            0 | 1 => Ok(()),
            factor => self.sleep(began.elapsed().saturating_mul(factor - 1)),
        }
    }

    /// Does nothing for a time, unless it is stopped.
    fn sleep(&self, duration: Duration) -> Result<(), Stop> {
        let state = self.lock();
        drop(
            self.wake
                .wait_timeout_while(state, duration, |_| !self.stopped())
                .unwrap_or_else(PoisonError::into_inner),
        );
        if self.stopped() {
            Err(Stop::Interrupted)
        } else {
            Ok(())
        }
    }
}
