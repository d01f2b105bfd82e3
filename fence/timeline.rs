// SPDX-License-Identifier: GPL-2.0

//! Timelines of engines, and the jobs in flight on them.

use kernel::{
    module::this_module,
    prelude::*,
    sync::aref::ARef, //
};

use super::completion::{
    Completion,
    Outcome,
    Reset, //
};
use crate::rust::dma_fence::{
    self,
    Fence,
    PendingFence,
    UnpublishedFence, //
};

/// Jobs that can be in flight on a timeline.
pub(crate) const MAX_IN_FLIGHT: usize = 64;

/// The timeline of an engine: the fence context of its jobs.
pub(crate) struct Timeline(dma_fence::Timeline);

impl Timeline {
    /// Makes a timeline. `name` is the engine's.
    pub(crate) fn new(name: &'static CStr) -> Result<Self> {
        let module = this_module::<crate::LocalModule>();

        Ok(Self(dma_fence::Timeline::new(
            module,
            c"rust_gpu_ttm",
            name,
        )?))
    }

    /// Allocates a fence of the timeline, to be published on its [`InFlight`].
    pub(crate) fn new_fence(&self) -> Result<UnpublishedFence> {
        self.0.new_fence()
    }
}

/// A job in flight: published and not completed.
struct Job<T> {
    fence: PendingFence,
    completion: Completion,
    /// The error that the job ends with, if it is not run, or not run again.
    error: Option<Error>,
    hw: T,
}

impl<T> Job<T> {
    /// Runs the completion callback and signals the fence.
    fn complete(self, mut outcome: Outcome) {
        if let Some(error) = self.error {
            outcome.result = Err(error);
        }
        self.fence.signal(self.completion.run(&outcome));
    }
}

/// The jobs in flight on a timeline, in the order of their sequence numbers, which have no gaps.
/// `T` is the hardware's data of a job.
///
/// Nothing but [`Self::new`] allocates. The lock of the engine serialises all methods, so that
/// numbers are given out, and fences signal, in order.
///
/// # Invariants
///
/// - `jobs` has [`MAX_IN_FLIGHT`] slots; that of a job is its sequence number modulo that.
/// - `oldest <= next <= oldest + MAX_IN_FLIGHT`, and the slots of `oldest..next` are full.
pub(crate) struct InFlight<T> {
    jobs: KVec<Option<Job<T>>>,
    oldest: u64,
    next: u64,
}

impl<T> InFlight<T> {
    /// Makes one for a new timeline, whose first sequence number is 1.
    pub(crate) fn new() -> Result<Self> {
        let mut jobs = KVec::with_capacity(MAX_IN_FLIGHT, GFP_KERNEL)?;
        for _ in 0..MAX_IN_FLIGHT {
            jobs.push(None, GFP_KERNEL)?;
        }
        Ok(Self {
            jobs,
            oldest: 1,
            next: 1,
        })
    }

    /// Returns whether no job is in flight.
    pub(crate) fn is_empty(&self) -> bool {
        self.oldest == self.next
    }

    /// Returns whether no more jobs can be published.
    pub(crate) fn is_full(&self) -> bool {
        self.next - self.oldest == MAX_IN_FLIGHT as u64
    }

    /// Returns the numbers of completed jobs and of those in flight.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.oldest - 1, self.next - self.oldest)
    }

    /// Returns the sequence number of the oldest job.
    pub(crate) fn oldest(&self) -> Option<u64> {
        (!self.is_empty()).then_some(self.oldest)
    }

    /// Publishes `fence`, of this timeline, whose fences are published here only and so have the
    /// numbers of the jobs. `emit` gets that number and has the hardware write it once the job is
    /// done.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if it is full. Nothing was published or emitted then.
    pub(crate) fn publish(
        &mut self,
        fence: UnpublishedFence,
        completion: Completion,
        emit: impl FnOnce(u64) -> T,
    ) -> Result<ARef<Fence>> {
        if self.is_full() {
            return Err(EBUSY);
        }
        let seqno = self.next;
        let slot = self.slot(seqno).ok_or(EBUSY)?;
        let (published, fence) = fence.publish();
        debug_assert!(published.seqno() == seqno);
        *slot = Some(Job {
            fence,
            completion,
            error: None,
            hw: emit(seqno),
        });
        // INVARIANT: The slot of `next` is full now, and there was room for it.
        self.next += 1;
        Ok(published)
    }

    /// Completes the oldest job if its sequence number is at most `last`. `outcome` gets that
    /// number and the hardware's data.
    ///
    /// Returns whether there was one.
    pub(crate) fn complete_oldest(
        &mut self,
        last: u64,
        outcome: impl FnOnce(u64, &T) -> Outcome,
    ) -> bool {
        let seqno = self.oldest;
        if self.is_empty() || seqno > last {
            return false;
        }
        let Some(job) = self.slot(seqno).and_then(Option::take) else {
            return false;
        };
        // INVARIANT: The slot of `oldest` is empty now, and `oldest` was below `next`.
        self.oldest += 1;
        let outcome = outcome(seqno, &job.hw);
        job.complete(outcome);
        true
    }

    /// Has job `seqno`, which hung, end with `error` unless its callback has it retried. Returns
    /// whether it ends.
    pub(crate) fn fail(&mut self, seqno: u64, error: Error) -> bool {
        if !(self.oldest..self.next).contains(&seqno) {
            return false;
        }
        let Some(job) = self.slot(seqno).and_then(Option::as_mut) else {
            return false;
        };
        if job.error.is_none() && job.completion.retry() {
            return false;
        }
        job.error.get_or_insert(error);
        true
    }

    /// Cancels the jobs whose callbacks say so of a reset of the engine.
    pub(crate) fn cancel_on_engine_reset(&mut self) {
        self.cancel(|_| Reset::Engine);
    }

    /// Cancels the jobs whose callbacks say so of a reset of the device. Only the oldest may have
    /// begun.
    pub(crate) fn cancel_on_device_reset(&mut self) {
        self.cancel(|is_oldest| Reset::Device { begun: is_oldest });
    }

    fn cancel(&mut self, reset: impl Fn(bool) -> Reset) {
        let oldest = self.oldest;
        for seqno in oldest..self.next {
            if let Some(job) = self.slot(seqno).and_then(Option::as_mut) {
                if job.completion.is_cancelled_by(reset(seqno == oldest)) {
                    job.error.get_or_insert(ECANCELED);
                }
            }
        }
    }

    /// Iterates over the jobs in order: their sequence numbers, the hardware's data, and whether
    /// they failed or are cancelled.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T, bool)> {
        (self.oldest..self.next).filter_map(|seqno| {
            let job = self.jobs.get(Self::index(seqno))?.as_ref()?;
            Some((seqno, &job.hw, job.error.is_some()))
        })
    }

    /// Iterates over the hardware's data of the jobs, in no order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.jobs.iter_mut().flatten().map(|job| &mut job.hw)
    }

    fn slot(&mut self, seqno: u64) -> Option<&mut Option<Job<T>>> {
        self.jobs.get_mut(Self::index(seqno))
    }

    fn index(seqno: u64) -> usize {
        (seqno % MAX_IN_FLIGHT as u64) as usize
    }
}
