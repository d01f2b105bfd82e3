// SPDX-License-Identifier: GPL-2.0

//! Jobs that an engine has not done yet.

use kernel::prelude::*;

use super::deps::Waits;
use crate::rust::dma_fence::PendingFence;

/// What has to be done when a job is over, before its fence signals.
pub(crate) trait OnEnd: Send {
    /// Does it. `result` is how the job ended; what is returned is what its fence tells.
    ///
    /// This is called, and dropped, where fences signal: it must not allocate memory, lock a
    /// reservation or wait for a fence.
    fn on_end(&mut self, result: Result) -> Result;
}

/// Jobs that can be pending on an engine.
pub(in crate::hw) const MAX_JOBS: usize = 256;

/// A job.
pub(super) struct Job {
    pub(super) fence: PendingFence,
    /// Jobs of other engines that it waits for.
    pub(super) waits: Waits,
    /// Position in the ring where its packets end.
    pub(super) end: u64,
    pub(super) on_end: Option<KBox<dyn OnEnd>>,
}

impl Job {
    /// Signals the fence.
    pub(super) fn finish(self, mut result: Result) {
        if let Some(mut on_end) = self.on_end {
            result = on_end.on_end(result);
        }
        match result {
            Ok(()) => self.fence.signal(),
            Err(error) => self.fence.signal_err(error),
        }
    }
}

/// The pending jobs of an engine, in the order of their sequence numbers, which have no gaps.
///
/// # Invariants
///
/// - `jobs` has [`MAX_JOBS`] slots; that of a job is its sequence number modulo that.
/// - `oldest <= next <= oldest + MAX_JOBS`, and the slots of `oldest..next` are full.
pub(super) struct Pending {
    jobs: KVec<Option<Job>>,
    oldest: u64,
    next: u64,
}

impl Pending {
    /// None. The first sequence number will be 1.
    pub(super) fn new() -> Result<Self> {
        let mut jobs = KVec::with_capacity(MAX_JOBS, GFP_KERNEL)?;
        for _ in 0..MAX_JOBS {
            jobs.push(None, GFP_KERNEL)?;
        }
        Ok(Self {
            jobs,
            oldest: 1,
            next: 1,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.oldest == self.next
    }

    pub(super) fn len(&self) -> u64 {
        self.next - self.oldest
    }

    /// The numbers of jobs that were taken out, and of those that are in there.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.oldest - 1, self.len())
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == MAX_JOBS as u64
    }

    /// Sequence number of the job that is pushed next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Appends a job, unless it is full.
    pub(super) fn push(&mut self, job: Job) {
        let seqno = self.next;
        if let Some(slot) = self.slot(seqno) {
            *slot = Some(job);
            self.next += 1;
        }
    }

    /// The oldest job and its sequence number.
    pub(super) fn oldest(&mut self) -> Option<(u64, &Job)> {
        if self.is_empty() {
            return None;
        }
        let seqno = self.oldest;
        self.slot(seqno)?.as_ref().map(|job| (seqno, job))
    }

    /// Takes the oldest job if its sequence number is at most `last`.
    pub(super) fn pop(&mut self, last: u64) -> Option<(u64, Job)> {
        let seqno = self.oldest;
        if self.is_empty() || seqno > last {
            return None;
        }
        let job = self.slot(seqno)?.take()?;
        self.oldest += 1;
        Some((seqno, job))
    }

    /// Adapts the jobs to a ring whose positions are smaller by `moved` now.
    pub(super) fn rewind(&mut self, moved: u64) {
        for job in self.jobs.iter_mut().flatten() {
            job.end -= moved;
        }
    }

    fn slot(&mut self, seqno: u64) -> Option<&mut Option<Job>> {
        self.jobs.get_mut((seqno % MAX_JOBS as u64) as usize)
    }
}
