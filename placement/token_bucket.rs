// SPDX-License-Identifier: GPL-2.0

//! The rate at which BOs come back to VRAM.

use kernel::time::Delta;

const MICROS_PER_SEC: i64 = 1_000_000;
const NANOS_PER_MICRO: i64 = 1_000;

/// A token bucket of bytes that may be moved.
///
/// It fills at a steady rate up to a burst. A BO that is larger than its content takes it into debt.
pub(crate) struct TokenBucket {
    /// Bytes per second, which are as many millionths of a byte per microsecond.
    rate: i64,
    /// The content in millionths of a byte; negative when in debt.
    tokens: i64,
    /// The time of the last refill in microseconds.
    refilled: i64,
}

impl TokenBucket {
    /// The time in which an empty bucket fills.
    const BURST_MICROS: i64 = MICROS_PER_SEC / 16;

    /// The highest rate in MiB/s, which no sum overflows with.
    const MAX_MBPS: u32 = 1 << 20;

    /// Returns a bucket that is full at time 0 and fills at a rate in MiB/s, or stays empty at 0.
    pub(crate) fn new(mbps: u32) -> Self {
        let rate = i64::from(mbps.min(Self::MAX_MBPS)) << 20;

        Self {
            rate,
            tokens: rate * Self::BURST_MICROS,
            refilled: 0,
        }
    }

    /// Refills the bucket and returns whether it has any tokens. `now` must not go back.
    pub(crate) fn has_tokens(&mut self, now: Delta) -> bool {
        let now = now.as_nanos() / NANOS_PER_MICRO;
        let refill = self.rate.saturating_mul((now - self.refilled).max(0));

        self.tokens = self
            .tokens
            .saturating_add(refill)
            .min(self.rate * Self::BURST_MICROS);
        self.refilled = now;
        self.tokens > 0
    }

    /// Takes tokens for `bytes` bytes, into debt if there are fewer.
    pub(crate) fn take(&mut self, bytes: u64) {
        let cost = i64::try_from(bytes)
            .unwrap_or(i64::MAX)
            .saturating_mul(MICROS_PER_SEC);

        self.tokens = self.tokens.saturating_sub(cost);
    }
}
