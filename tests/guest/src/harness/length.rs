// SPDX-License-Identifier: GPL-2.0

//! How long tests take that find more the longer they run.

use std::sync::atomic::{AtomicBool, Ordering};

static LONG: AtomicBool = AtomicBool::new(false);

/// Whether tests run in their short or in their long form.
pub(crate) struct Length;

impl Length {
    /// From here on, tests run in their long form.
    pub(crate) fn set_long() {
        LONG.store(true, Ordering::Relaxed);
    }

    /// The one of two that belongs to this run.
    pub(crate) fn choose<T>(short: T, long: T) -> T {
        match LONG.load(Ordering::Relaxed) {
            true => long,
            false => short,
        }
    }
}
