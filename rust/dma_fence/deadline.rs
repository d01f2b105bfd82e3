// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Deadlines of fences: hints of who waits.
//!
//! A fence remembers the earliest one, for its driver to look at when it decides about the order of
//! work or the speed of a device. That of a job of the scheduler is passed to the fence of the
//! hardware.
//!
//! C header: [`include/linux/dma-fence.h`](srctree/include/linux/dma-fence.h)

use kernel::{
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::Delta, //
};

use super::{
    Fence,
    PendingFence,
    TimelineFence, //
};
use crate::rust::bindings;

/// The earliest deadline of a fence, in nanoseconds of the monotonic clock.
pub(super) struct Deadline(Atomic<i64>);

impl Deadline {
    pub(super) fn new() -> Self {
        Self(Atomic::new(i64::MAX))
    }

    fn get(&self) -> Option<i64> {
        let at = self.0.load(Relaxed);

        (at != i64::MAX).then_some(at)
    }

    /// Takes a deadline over if it is earlier than those before.
    fn advance(&self, at: i64) {
        let mut old = self.0.load(Relaxed);

        while at < old {
            match self.0.cmpxchg(old, at, Relaxed) {
                Ok(_) => break,
                Err(newer) => old = newer,
            }
        }
    }
}

fn now() -> i64 {
    // SAFETY: It may always be called once the kernel is up.
    unsafe { bindings::ktime_get() }
}

impl Fence {
    /// Hints that the fence is waited for, and should have signalled when `time` is over.
    ///
    /// Whoever signals it may ignore that. May be called in any context.
    ///
    /// C: `dma_fence_set_deadline()`.
    pub fn set_deadline(&self, time: Delta) {
        let at = now().saturating_add(time.as_nanos());

        // SAFETY: By the type invariant the fence is valid.
        unsafe { bindings::dma_fence_set_deadline(self.as_raw(), at) };
    }
}

impl PendingFence {
    /// Returns how much time is left until the fence should signal, negative when that is past;
    /// [`None`] if nobody has hinted that they wait.
    pub fn deadline(&self) -> Option<Delta> {
        // SAFETY: A pending fence was made by `UnpublishedFence::publish()`, in a `TimelineFence`
        // whose first field it is.
        let fence = unsafe { &*self.fence.as_raw().cast::<TimelineFence>() };
        let at = fence.deadline.get()?;

        Some(Delta::from_nanos(at.saturating_sub(now())))
    }
}

impl TimelineFence {
    /// # Safety
    ///
    /// `fence` must point to the `fence` of a valid [`TimelineFence`].
    pub(super) unsafe extern "C" fn set_deadline(
        fence: *mut bindings::dma_fence,
        deadline: bindings::ktime_t,
    ) {
        // SAFETY: As in `driver_name()`.
        unsafe { &(*fence.cast::<Self>()).deadline }.advance(deadline);
    }
}
