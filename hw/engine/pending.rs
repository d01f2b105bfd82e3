// SPDX-License-Identifier: GPL-2.0

//! Jobs that an engine has not done yet.

use kernel::prelude::*;

use super::end::{
    EndHook,
    Outcome,
    Reset, //
};
use crate::rust::dma_fence::PendingFence;

/// Jobs that can be pending on an engine.
pub(in crate::hw) const MAX_JOBS: usize = 64;

/// A job.
pub(super) struct Job {
    pub(super) fence: PendingFence,
    /// Position in the ring where its packets begin.
    pub(super) start: u64,
    /// Position where those end that do what it is for.
    pub(super) body_end: u64,
    /// Position where its packets end.
    pub(super) end: u64,
    /// Why the engine does not do it, or not again.
    pub(super) skipped: Option<Error>,
    pub(super) hook: EndHook,
}

impl Job {
    /// Signals the fence.
    pub(super) fn finish(self, mut outcome: Outcome) {
        if let Some(error) = self.skipped {
            outcome.result = Err(error);
        }
        match self.hook.end(&outcome) {
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

    /// The numbers of jobs that were taken out, and of those that are in there.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.oldest - 1, self.next - self.oldest)
    }

    pub(super) fn is_full(&self) -> bool {
        self.next - self.oldest == MAX_JOBS as u64
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

    /// Sequence number of the oldest job.
    pub(super) fn oldest(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.oldest)
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

    /// Notes that job `seqno`, which the engine did not get on with, is not to be done, unless it is
    /// to be tried again. Returns whether it is not.
    pub(super) fn skip(&mut self, seqno: u64, error: Error) -> bool {
        if !(self.oldest..self.next).contains(&seqno) {
            return false;
        }
        let Some(job) = self.slot(seqno).and_then(Option::as_mut) else {
            return false;
        };
        if job.skipped.is_none() && job.hook.try_again() {
            return false;
        }
        job.skipped.get_or_insert(error);
        true
    }

    /// Notes that those jobs are not to be done whose hooks say so.
    pub(super) fn skip_cancelled(&mut self, device: bool) {
        let oldest = self.oldest;
        for seqno in oldest..self.next {
            let reset = match device {
                false => Reset::Engine,
                true => Reset::Device {
                    begun: seqno == oldest,
                },
            };
            if let Some(job) = self.slot(seqno).and_then(Option::as_mut) {
                if job.hook.is_cancelled(reset) {
                    job.skipped.get_or_insert(ECANCELED);
                }
            }
        }
    }

    /// The jobs and their sequence numbers, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Job)> {
        (self.oldest..self.next).filter_map(|seqno| {
            let job = self.jobs.get((seqno % MAX_JOBS as u64) as usize)?;
            Some((seqno, job.as_ref()?))
        })
    }

    /// The jobs that are not to be done.
    pub(super) fn skipped(&self) -> impl Iterator<Item = &Job> {
        self.jobs
            .iter()
            .flatten()
            .filter(|job| job.skipped.is_some())
    }

    /// Adapts the jobs to a ring whose positions are smaller by `moved` now.
    pub(super) fn rewind(&mut self, moved: u64) {
        for job in self.jobs.iter_mut().flatten() {
            job.start -= moved;
            job.body_end -= moved;
            job.end -= moved;
        }
    }

    fn slot(&mut self, seqno: u64) -> Option<&mut Option<Job>> {
        self.jobs.get_mut((seqno % MAX_JOBS as u64) as usize)
    }
}
