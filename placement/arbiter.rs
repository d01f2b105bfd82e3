// SPDX-License-Identifier: GPL-2.0

//! A device's policy with what it needs of the outside: parameters, locks and time.

use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex,
    time::{
        Instant,
        Monotonic, //
    }, //
};

use super::{
    Budget,
    Policy, //
};

/// Who decides which BOs are in VRAM.
#[pin_data]
pub(crate) struct Arbiter {
    policy: Option<Policy>,
    #[pin]
    budget: Mutex<Budget>,
    start: Instant<Monotonic>,
}

impl Arbiter {
    /// For so many bytes of VRAM, either with the [`Policy`] or as plain `lru`. BOs come back to
    /// VRAM at `moveback_mbps` MiB a second at most.
    pub(crate) fn new(capacity: u64, lru: bool, moveback_mbps: u32) -> impl PinInit<Self> {
        pin_init!(Self {
            policy: (!lru).then(|| Policy::new(capacity)),
            budget <- new_mutex!(Budget::new(moveback_mbps), "Arbiter::budget"),
            start: Instant::now(),
        })
    }

    /// The policy; [`None`] for plain LRU, where every use justifies any eviction.
    pub(crate) fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    /// Whether a BO may come back to VRAM now. Under plain LRU all may at any time.
    pub(crate) fn may_come_back(&self) -> bool {
        self.policy.is_none() || self.budget.lock().has_some(self.start.elapsed())
    }

    /// Counts bytes that a BO's way back moved.
    pub(crate) fn came_back(&self, bytes: u64) {
        if bytes != 0 {
            self.budget.lock().spend(bytes);
        }
    }
}
