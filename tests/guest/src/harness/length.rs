// SPDX-License-Identifier: GPL-2.0

//! How long tests take that find more the longer they run.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static LONG: AtomicBool = AtomicBool::new(false);
static TIME: OnceLock<Duration> = OnceLock::new();

/// Whether tests run in their short or in their long form.
pub(crate) struct Length;

impl Length {
    /// From here on, tests run in their long form.
    pub(crate) fn set_long() {
        LONG.store(true, Ordering::Relaxed);
    }

    /// From here on, tests that may run for any time run for this.
    pub(crate) fn set_time(time: Duration) {
        let _ = TIME.set(time);
    }

    /// The one of two that belongs to this run.
    pub(crate) fn choose<T>(short: T, long: T) -> T {
        match LONG.load(Ordering::Relaxed) {
            true => long,
            false => short,
        }
    }

    /// The time of the caller for tests that may run for any.
    pub(crate) fn time() -> Option<Duration> {
        TIME.get().copied()
    }
}
