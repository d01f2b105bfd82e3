// SPDX-License-Identifier: GPL-2.0

//! How often BOs moved, and how many bytes, by the reason.

use kernel::{
    str::CStr,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Why a BO was moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum MoveReason {
    /// It had no memory yet: it was cleared rather than moved.
    First,
    /// To make room for others.
    Evict,
    /// To a stop on the way to where it is to be.
    Hop,
    /// Back to VRAM after an eviction.
    BackToVram,
    /// The CPU accessed it where it cannot.
    Fault,
    /// A job uses it, and none of the other reasons.
    Validate,
    /// To free system memory; its content is kept.
    Shrink,
    /// To free memory; its content is lost.
    Purge,
    /// It is the kernel's own.
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

    /// The reason as debugfs and trace events name it.
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

/// What moved for one reason.
struct Counter {
    moves: Atomic<u64>,
    bytes: Atomic<u64>,
}

/// What moved on a device since it was bound.
pub(crate) struct MoveStats([Counter; MoveReason::ALL.len()]);

impl MoveStats {
    /// Nothing has moved.
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

    /// The number of moves for a reason, and their bytes.
    pub(crate) fn get(&self, reason: MoveReason) -> (u64, u64) {
        let counter = &self.0[reason as usize];

        (counter.moves.load(Relaxed), counter.bytes.load(Relaxed))
    }
}
