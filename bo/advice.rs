// SPDX-License-Identifier: GPL-2.0

//! A BO's advice: whether its content is needed.

use kernel::sync::atomic::{
    Acquire,
    Atomic,
    Release, //
};

/// The state of a BO's content as GEM_MADVISE has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Advice {
    /// The content is needed.
    WillNeed,
    /// The content may be purged. The BO cannot be used until it is needed again.
    DontNeed,
    /// The content was purged, which user space has not been told yet.
    Purged,
}

/// The [`Advice`] of a BO, which changes with its reservation held.
pub(crate) struct AdviceCell(Atomic<u32>);

impl AdviceCell {
    /// Returns the advice of a new BO: its content is needed.
    pub(crate) fn new() -> Self {
        Self(Atomic::new(Advice::WillNeed as u32))
    }

    /// Returns the advice.
    pub(crate) fn get(&self) -> Advice {
        match self.0.load(Acquire) {
            advice if advice == Advice::WillNeed as u32 => Advice::WillNeed,
            advice if advice == Advice::DontNeed as u32 => Advice::DontNeed,
            _ => Advice::Purged,
        }
    }

    /// Returns whether the BO can be used.
    pub(crate) fn is_usable(&self) -> bool {
        self.get() == Advice::WillNeed
    }

    pub(super) fn set(&self, advice: Advice) {
        self.0.store(advice as u32, Release);
    }
}
