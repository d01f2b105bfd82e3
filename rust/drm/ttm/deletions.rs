// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Deleted buffer objects that jobs still use, whose memory is neither free nor can be evicted.

use kernel::{
    new_condvar,
    new_spinlock,
    prelude::*,
    sync::{
        CondVar,
        CondVarTimeoutResult,
        SpinLock, //
    },
    time::Jiffies, //
};

/// How many deleted BOs that had device-local memory there are, and were.
pub(super) struct Counts {
    pending: u64,
    done: u64,
}

/// The deletions of a device's BOs that had device-local memory.
#[pin_data]
pub(super) struct Deletions {
    #[pin]
    counts: SpinLock<Counts>,
    #[pin]
    changed: CondVar,
}

impl Deletions {
    /// Returns an initializer of deletions of which there were none.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            counts <- new_spinlock!(Counts { pending: 0, done: 0 }, "Deletions::counts"),
            changed <- new_condvar!("Deletions::changed"),
        })
    }

    /// Notes that the last reference to a BO is gone.
    pub(super) fn begin(&self) {
        self.counts.lock().pending += 1;
    }

    /// Notes that the memory of such a BO is free.
    pub(super) fn end(&self) {
        {
            let mut counts = self.counts.lock();
            counts.pending -= 1;
            counts.done += 1;
        }
        self.changed.notify_all();
    }

    /// Returns how many BOs have freed their memory so far.
    pub(super) fn done(&self) -> u64 {
        self.counts.lock().done
    }

    /// Returns whether BOs that were deleted have memory, or one has freed it since [`Self::done()`]
    /// returned `seen`.
    pub(super) fn go_on_since(&self, seen: u64) -> bool {
        let counts = self.counts.lock();

        counts.pending != 0 || counts.done != seen
    }

    /// Waits as [`Device::wait_for_deletion()`](super::Device::wait_for_deletion) does.
    pub(super) fn wait(&self, seen: u64, timeout: Jiffies) -> Result<bool> {
        let mut counts = self.counts.lock();
        let mut left = timeout;

        while counts.done == seen {
            if counts.pending == 0 || left == 0 {
                return Ok(false);
            }
            left = match self.changed.wait_interruptible_timeout(&mut counts, left) {
                CondVarTimeoutResult::Woken { jiffies } => jiffies,
                CondVarTimeoutResult::Timeout => 0,
                CondVarTimeoutResult::Signal { .. } => return Err(ERESTARTSYS),
            };
        }
        Ok(true)
    }
}
