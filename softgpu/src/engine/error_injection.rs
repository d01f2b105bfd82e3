// SPDX-License-Identifier: GPL-2.0

//! Errors injected into an engine: hangs and slow packets.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Engine, Stop};

/// The reset that ends a hang.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hang {
    /// That of the engine, or of the device.
    EngineReset,
    /// That of the device. One of the engine does nothing.
    DeviceReset,
}

/// The injected errors, pending and in effect.
#[derive(Default)]
pub(super) struct ErrorInjection {
    /// The hang that begins at the next packet.
    pending: Option<Hang>,
    /// The hang in effect.
    active: Option<Hang>,
    /// Factor of the time of a packet; 0 and 1 are the normal speed.
    factor: u32,
}

/// Length of one sleep of a hung engine, which sleeps until a reset.
const LONG: Duration = Duration::from_secs(60);

impl Engine {
    fn injection(&self) -> MutexGuard<'_, ErrorInjection> {
        self.injection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the engine hang at its next packet.
    pub fn hang(&self, until: Hang) {
        self.injection().pending = Some(until);
    }

    /// Whether the engine hangs.
    pub fn hung(&self) -> bool {
        self.injection().active.is_some()
    }

    /// Makes packets take `factor` times as long. Device time stays the same.
    pub fn slow_down(&self, factor: u32) {
        self.injection().factor = factor;
    }

    /// Whether a hang makes a reset of the engine do nothing.
    pub(super) fn ignores_reset(&self) -> bool {
        self.injection().active == Some(Hang::DeviceReset)
    }

    /// Ends the hang at a reset. A pending one stays pending.
    pub(super) fn end_hang(&self) {
        self.injection().active = None;
    }

    /// Hangs if a hang is pending. Called before each packet.
    pub(super) fn before_packet(&self) -> Result<(), Stop> {
        let mut injection = self.injection();
        let Some(hang) = injection.pending.take() else {
            return Ok(());
        };
        injection.active = Some(hang);
        drop(injection);
        loop {
            self.sleep(LONG)?;
        }
    }

    /// Slows the engine down. Called after each packet that succeeds, with the time of its begin.
    pub(super) fn after_packet(&self, began: Instant) -> Result<(), Stop> {
        let factor = self.injection().factor;
        match factor {
            0 | 1 => Ok(()),
            factor => self.sleep(began.elapsed().saturating_mul(factor - 1)),
        }
    }

    /// Sleeps for `duration`, or until the engine is stopped.
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
