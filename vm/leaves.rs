// SPDX-License-Identifier: GPL-2.0

//! Page tables for mappings that are still to be made.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};

/// Bytes that a table of level 0 maps.
const LEAF: u64 = 2 << 20;

/// The tables of level 0 that the mappings of queued binds take at most.
///
/// A rebind that is queued behind such a bind maps its BO anew when the mapping is there, and has to
/// bring the tables along.
pub(super) struct Leaves(Arc<Atomic<u64>>);

/// The share of one mapping, for as long as it is queued.
pub(super) struct QueuedLeaves {
    sum: Arc<Atomic<u64>>,
    count: u64,
}

impl Leaves {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(Arc::new(Atomic::new(0), GFP_KERNEL_ACCOUNT)?))
    }

    /// Returns a range that takes as many tables as the queued mappings; [`None`] without any.
    pub(super) fn range(&self) -> Option<Range<u64>> {
        let count = self.0.load(Relaxed);

        (count != 0).then_some(0..count * LEAF)
    }

    /// Adds a mapping of `va`.
    pub(super) fn add(&self, va: &Range<u64>) -> QueuedLeaves {
        let count = va.end.div_ceil(LEAF) - va.start / LEAF;

        self.0.fetch_add(count, Relaxed);
        QueuedLeaves {
            sum: self.0.clone(),
            count,
        }
    }
}

impl Drop for QueuedLeaves {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.count, Relaxed);
    }
}
