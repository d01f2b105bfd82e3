// SPDX-License-Identifier: GPL-2.0

//! How fast BOs come back to VRAM.

use kernel::time::Delta;

const MICROS_PER_SEC: i64 = 1_000_000;
const NANOS_PER_MICRO: i64 = 1_000;

/// Bytes that may be moved: they come in at a steady rate and are saved up for a moment.
///
/// One that is larger than what was saved is moved on credit.
pub(crate) struct Budget {
    /// Bytes a second: as many millionths of a byte a microsecond.
    rate: i64,
    /// What was saved, in millionths of a byte; negative on credit.
    saved: i64,
    /// When that was so, in microseconds.
    at: i64,
}

impl Budget {
    /// What comes in during this is saved at most.
    const SAVED_MICROS: i64 = MICROS_PER_SEC / 16;

    /// The highest rate in MiB a second, which leaves room in the numbers.
    const MOST: u32 = 1 << 20;

    /// A full budget at time 0, of a rate in MiB a second. Of 0 there is never any.
    pub(crate) fn new(mbps: u32) -> Self {
        let rate = i64::from(mbps.min(Self::MOST)) << 20;

        Self {
            rate,
            saved: rate * Self::SAVED_MICROS,
            at: 0,
        }
    }

    /// Whether there is something to spend at this time. Times must not go back.
    pub(crate) fn has_some(&mut self, now: Delta) -> bool {
        let now = now.as_nanos() / NANOS_PER_MICRO;
        let income = self.rate.saturating_mul((now - self.at).max(0));

        self.saved = self
            .saved
            .saturating_add(income)
            .min(self.rate * Self::SAVED_MICROS);
        self.at = now;
        self.saved > 0
    }

    /// Spends bytes, on credit if there are not as many.
    pub(crate) fn spend(&mut self, bytes: u64) {
        let cost = i64::try_from(bytes)
            .unwrap_or(i64::MAX)
            .saturating_mul(MICROS_PER_SEC);

        self.saved = self.saved.saturating_sub(cost);
    }
}
