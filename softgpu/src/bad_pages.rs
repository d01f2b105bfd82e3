// SPDX-License-Identifier: GPL-2.0

//! Bad pages of VRAM, and the queue of reports about them.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::abi::limits::PAGE_SIZE;

#[derive(Default)]
struct State {
    /// Offsets in VRAM.
    pages: BTreeSet<u64>,
    /// Pages that have not been reported to the driver, in the order in which they went bad.
    reports: VecDeque<u64>,
}

/// The bad pages of a VRAM. A page stays bad.
#[derive(Default)]
pub struct BadPages {
    /// Whether there are any: checked without the lock at every access.
    any: AtomicBool,
    state: Mutex<State>,
}

impl BadPages {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the page at `offset`. False if it is bad already.
    pub fn add(&self, offset: u64) -> bool {
        let page = offset & !(PAGE_SIZE - 1);
        let mut state = self.lock();
        let is_new = state.pages.insert(page);
        if is_new {
            state.reports.push_back(page);
        }
        self.any.store(true, Ordering::Release);
        is_new
    }

    /// Returns the offset of the first bad byte in a range.
    pub fn first_in(&self, range: Range<u64>) -> Option<u64> {
        if range.is_empty() || !self.any.load(Ordering::Acquire) {
            return None;
        }
        let state = self.lock();
        let first = range.start & !(PAGE_SIZE - 1);
        let page = state.pages.range(first..range.end).next()?;
        Some((*page).max(range.start))
    }

    /// Returns the number of queued reports.
    pub fn count(&self) -> u32 {
        self.lock().reports.len() as u32
    }

    /// Returns the oldest report; 0 if there is none.
    pub fn oldest(&self) -> u64 {
        self.lock().reports.front().copied().unwrap_or(0)
    }

    /// Drops the oldest report.
    pub fn pop(&self) {
        self.lock().reports.pop_front();
    }

    /// Queues reports of all bad pages again, after a reset.
    pub fn report_all(&self) {
        let mut state = self.lock();
        state.reports = state.pages.iter().copied().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_first_bad_byte() {
        let bad = BadPages::default();
        assert_eq!(bad.first_in(0..u64::MAX), None);
        assert!(bad.add(0x5123));
        assert!(bad.add(0x3000));
        assert!(!bad.add(0x5fff));
        assert_eq!(bad.first_in(0..0x3000), None);
        assert_eq!(bad.first_in(0..0x3001), Some(0x3000));
        assert_eq!(bad.first_in(0x3ffc..0x6000), Some(0x3ffc));
        assert_eq!(bad.first_in(0x4000..0x6000), Some(0x5000));
        assert_eq!(bad.first_in(0x5004..0x5004), None);
        assert_eq!(bad.first_in(0x6000..u64::MAX), None);
    }

    #[test]
    fn each_is_reported_once_and_again_after_a_reset() {
        let bad = BadPages::default();
        for page in [0x5000, 0x3000, 0x5000] {
            bad.add(page);
        }
        assert_eq!((bad.count(), bad.oldest()), (2, 0x5000));
        bad.pop();
        assert_eq!((bad.count(), bad.oldest()), (1, 0x3000));
        bad.pop();
        bad.pop();
        assert_eq!((bad.count(), bad.oldest()), (0, 0));
        bad.report_all();
        assert_eq!((bad.count(), bad.oldest()), (2, 0x3000));
    }
}
