// SPDX-License-Identifier: GPL-2.0

//! Statistics of moves by their reason.

use kernel::{
    str::CStr,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// The reason of a move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum MoveReason {
    /// The BO had no memory: it was cleared rather than moved.
    First,
    /// The BO was evicted.
    Evict,
    /// The BO makes a hop of a multihop move.
    Hop,
    /// The BO came back to VRAM after an eviction.
    BackToVram,
    /// The CPU faulted on a BO that it does not see.
    Fault,
    /// A job uses the BO, and none of the other reasons.
    Validate,
    /// The shrinker freed its pages; the content is kept.
    Shrink,
    /// The BO was purged.
    Purge,
    /// It is a kernel BO.
    KernelBo,
}

impl MoveReason {
    /// All reasons, in the order of their numbers.
    pub(crate) const ALL: [Self; 9] = [
        Self::First,
        Self::Evict,
        Self::Hop,
        Self::BackToVram,
        Self::Fault,
        Self::Validate,
        Self::Shrink,
        Self::Purge,
        Self::KernelBo,
    ];

    /// Returns the reason's name in debugfs and trace events.
    pub(crate) fn name(self) -> &'static CStr {
        match self {
            Self::First => c"first",
            Self::Evict => c"evict",
            Self::Hop => c"hop",
            Self::BackToVram => c"back",
            Self::Fault => c"fault",
            Self::Validate => c"validate",
            Self::Shrink => c"shrink",
            Self::Purge => c"purge",
            Self::KernelBo => c"kernel",
        }
    }
}

/// The moves for one reason.
struct Counter {
    moves: Atomic<u64>,
    bytes: Atomic<u64>,
}

/// The moves of a device's BOs since it was bound.
pub(crate) struct MoveStats([Counter; MoveReason::ALL.len()]);

impl MoveStats {
    /// Returns statistics without moves.
    pub(crate) fn new() -> Self {
        Self(MoveReason::ALL.map(|_| Counter {
            moves: Atomic::new(0),
            bytes: Atomic::new(0),
        }))
    }

    /// Counts a move of `bytes` bytes: those that were copied or cleared.
    pub(crate) fn moved(&self, reason: MoveReason, bytes: u64) {
        let counter = &self.0[reason as usize];

        counter.moves.fetch_add(1, Relaxed);
        counter.bytes.fetch_add(bytes, Relaxed);
    }

    /// Returns the number of moves for a reason, and their bytes.
    pub(crate) fn get(&self, reason: MoveReason) -> (u64, u64) {
        let counter = &self.0[reason as usize];

        (counter.moves.load(Relaxed), counter.bytes.load(Relaxed))
    }
}
