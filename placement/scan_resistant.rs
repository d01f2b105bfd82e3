// SPDX-License-Identifier: GPL-2.0

//! The scan-resistant eviction policy: which BOs deserve VRAM when there is not enough for all.
//!
//! As LIRS does (Jiang and Zhang, "LIRS: an efficient low inter-reference recency set replacement
//! policy", 2002), it compares the reuse interval of a BO, between its last two uses, with the
//! recency of the BOs in VRAM. Plain LRU knows the recency only, and moves every byte every time when
//! a little more than fits is used in turn. See docs/eviction.md.
//!
//! Time is virtual: it counts the bytes of the BOs that were used.

use core::num::NonZeroU16;

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// A share of VRAM: uses of a BO that are closer to each other count as one.
///
/// A frame is often several jobs, and a BO that two of them use is not used more often than once a
/// frame. The BOs in VRAM are rarely younger than VRAM is big, so that nothing gets lost.
const SAME_USE: u64 = 4;

/// A claim counts the age in steps of this share of VRAM.
const STEPS: u64 = 1024;

/// The uses of a BO, or of BOs that are used together.
///
/// Written with the reservation held, and read without: a torn pair of values compares as well
/// as one of a moment earlier or later.
pub(crate) struct History {
    /// The time of the last use, but for uses that followed closely; [`NEVER`] before the first.
    used: Atomic<u64>,
    /// The time between the last two; 0 when there were no two.
    interval: Atomic<u64>,
}

/// The time of a use that never was.
const NEVER: u64 = u64::MAX;

impl History {
    /// Returns the history of a BO that was never used.
    pub(crate) fn new() -> Self {
        Self {
            used: Atomic::new(NEVER),
            interval: Atomic::new(0),
        }
    }

    fn interval(&self) -> Option<u64> {
        match self.interval.load(Relaxed) {
            0 => None,
            interval => Some(interval),
        }
    }
}

/// The recency of a BO in VRAM: the time since its last use.
#[derive(Clone, Copy)]
pub(crate) struct Recency {
    age: u64,
    /// The age from which the BO is not expected to be used again.
    reuse_limit: u64,
}

/// A BO's claim to VRAM: BOs may be evicted for it that are idle and were not used for some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Claim(NonZeroU16);

impl Claim {
    /// Evicts any idle BO.
    pub(crate) const ANY: Self = Self(NonZeroU16::MIN);

    /// The smallest claim that depends on the age.
    const LEAST: u16 = 2;

    /// The largest claim.
    const MOST: u16 = u16::MAX - 1;

    /// Returns the claim as a number of at most [`Self::MOST`].
    pub(super) fn number(self) -> NonZeroU16 {
        self.0
    }

    /// Returns the claim of a number; [`None`] for 0.
    pub(super) fn from_number(number: u16) -> Option<Self> {
        NonZeroU16::new(number).map(Self)
    }
}

/// The policy for one heap of VRAM.
pub(crate) struct ScanResistant {
    capacity: u64,
    clock: Atomic<u64>,
}

impl ScanResistant {
    /// Returns the policy for `capacity` bytes of VRAM.
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            clock: Atomic::new(0),
        }
    }

    /// Records a use of a BO, or of several together, of `size` bytes that are wanted in VRAM.
    pub(crate) fn used(&self, history: &History, size: u64) {
        let now = self.clock.fetch_add(size, Relaxed);
        let last = history.used.load(Relaxed);

        if last != NEVER {
            let interval = now.saturating_sub(last);
            if interval < self.capacity / SAME_USE {
                return;
            }
            history.interval.store(interval, Relaxed);
        }
        history.used.store(now + size, Relaxed);
    }

    /// Has a history begin now that has no use yet.
    pub(crate) fn begin(&self, history: &History) {
        if history.used.load(Relaxed) == NEVER {
            history.used.store(self.clock.load(Relaxed), Relaxed);
        }
    }

    fn age(&self, history: &History) -> u64 {
        self.clock
            .load(Relaxed)
            .saturating_sub(history.used.load(Relaxed))
    }

    /// Returns the recency of a BO in VRAM.
    ///
    /// A BO that is unused for clearly longer than its last interval is not expected to be used again.
    pub(crate) fn recency(&self, history: &History) -> Recency {
        Recency {
            age: self.age(history),
            reuse_limit: match history.interval() {
                Some(interval) => (interval + interval / 2).max(self.capacity),
                None => 2 * self.capacity,
            },
        }
    }

    /// Returns the claim of a BO that was just used, given the recency of the least recently used hot
    /// BO.
    ///
    /// A BO whose interval is clearly shorter than that BO's age will be used again before it.
    /// Otherwise it may replace BOs that are beyond their reuse limit.
    pub(crate) fn claim(&self, history: &History, oldest: Option<Recency>) -> Option<Claim> {
        let earlier = history.interval().map(|interval| interval + interval / 8);

        let age = match (earlier, oldest) {
            (Some(earlier), None) => earlier,
            (Some(earlier), Some(oldest)) if earlier < oldest.age => earlier,
            (_, Some(oldest)) if oldest.reuse_limit < oldest.age => oldest.reuse_limit,
            _ => return None,
        };
        let steps = age
            .div_ceil(self.step())
            .clamp(Claim::LEAST.into(), Claim::MOST.into());
        // CAST: Just limited.
        Claim::from_number(steps as u16)
    }

    /// Returns whether a BO is evictable for a claim.
    pub(crate) fn is_evictable_for(&self, history: &History, claim: Claim) -> bool {
        claim == Claim::ANY || self.age(history) > u64::from(claim.number().get()) * self.step()
    }

    fn step(&self) -> u64 {
        (self.capacity / STEPS).max(1)
    }
}
