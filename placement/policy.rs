// SPDX-License-Identifier: GPL-2.0

//! Which BOs deserve VRAM when there is not enough for all.
//!
//! As LIRS does (Jiang and Zhang, "LIRS: an efficient low inter-reference recency set replacement
//! policy", 2002), it compares how long a BO was away between its last two uses with how long ago
//! the BOs in VRAM were used. Plain LRU only has the latter, and moves every byte every time when
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

/// Ages are told to the eviction in steps of this share of VRAM.
const STEPS: u64 = 1024;

/// How a BO was used.
///
/// Written with the reservation held. Others read it to compare, for which a torn pair of values
/// is as good as a moment earlier or later.
pub(crate) struct History {
    /// The time of the last use, but for uses that followed closely; [`NEVER`] before the first.
    used: Atomic<u64>,
    /// The time between the last two; 0 when there were no two.
    interval: Atomic<u64>,
}

/// No time.
const NEVER: u64 = u64::MAX;

impl History {
    /// The history of a BO that was never used.
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

/// How much a BO in VRAM is worth keeping.
#[derive(Clone, Copy)]
pub(crate) struct Standing {
    age: u64,
    patience: u64,
}

/// What a BO has to justify its way into VRAM: those may go for it that were not used for some
/// time and that nobody uses at present.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Claim(NonZeroU16);

impl Claim {
    /// All may go.
    pub(crate) const ANY: Self = Self(NonZeroU16::MIN);

    /// The least that is not all.
    const LEAST: u16 = 2;

    /// The claim as the hint of a place, see [`Self::from_hint()`].
    pub(crate) fn hint(self) -> u16 {
        self.0.get()
    }

    /// The claim of a place; [`None`] when it is not for a claim that room is made.
    pub(crate) fn from_hint(hint: u16) -> Option<Self> {
        NonZeroU16::new(hint).map(Self)
    }
}

/// The policy of a device.
pub(crate) struct Policy {
    capacity: u64,
    clock: Atomic<u64>,
}

impl Policy {
    /// The policy for so many bytes of VRAM.
    pub(crate) fn new(capacity: u64) -> Self {
        Self {
            capacity,
            clock: Atomic::new(0),
        }
    }

    /// Records a use of a BO of `size` bytes that is wanted in VRAM.
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

    fn age(&self, history: &History) -> u64 {
        self.clock
            .load(Relaxed)
            .saturating_sub(history.used.load(Relaxed))
    }

    /// How much a BO in VRAM is worth keeping.
    ///
    /// A BO that stays away for clearly longer than it did before is not expected to come back.
    pub(crate) fn standing(&self, history: &History) -> Standing {
        Standing {
            age: self.age(history),
            patience: match history.interval() {
                Some(interval) => (interval + interval / 2).max(self.capacity),
                None => 2 * self.capacity,
            },
        }
    }

    /// What a BO can claim that was just used, given the standing of the one that was not used for
    /// longest among those that have made their claim.
    ///
    /// A BO whose uses are closer to each other than that one's last use is to now, and clearly so,
    /// will be used again before it. Otherwise it may take the place of BOs that nobody comes back
    /// for.
    pub(crate) fn claim(&self, history: &History, oldest: Option<Standing>) -> Option<Claim> {
        let earlier = history.interval().map(|interval| interval + interval / 8);

        let age = match (earlier, oldest) {
            (Some(earlier), None) => earlier,
            (Some(earlier), Some(oldest)) if earlier < oldest.age => earlier,
            (_, Some(oldest)) if oldest.patience < oldest.age => oldest.patience,
            _ => return None,
        };
        let steps = age
            .div_ceil(self.step())
            .clamp(Claim::LEAST.into(), u16::MAX.into());
        // CAST: Just limited.
        Claim::from_hint(steps as u16)
    }

    /// Whether a BO may be evicted for a claim.
    pub(crate) fn yields(&self, history: &History, claim: Claim) -> bool {
        claim == Claim::ANY || self.age(history) > u64::from(claim.hint()) * self.step()
    }

    fn step(&self) -> u64 {
        (self.capacity / STEPS).max(1)
    }
}
