// SPDX-License-Identifier: GPL-2.0

//! Numbers of jobs that are queued or running.

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

/// The number of a queue's jobs that are queued or running.
pub(super) struct Load(Arc<Atomic<usize>>);

/// The share of one job, for as long as it exists.
pub(super) struct LoadGuard(Arc<Atomic<usize>>);

impl Load {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(Arc::new(Atomic::new(0), GFP_KERNEL)?))
    }

    /// Returns the number of jobs.
    pub(super) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// Adds a job.
    pub(super) fn add(&self) -> LoadGuard {
        self.0.fetch_add(1, Relaxed);
        LoadGuard(self.0.clone())
    }

    /// Adds a job, unless there are `max` already.
    pub(super) fn try_add(&self, max: usize) -> Option<LoadGuard> {
        let mut count = self.get();

        while count < max {
            match self.0.cmpxchg(count, count + 1, Relaxed) {
                Ok(_) => return Some(LoadGuard(self.0.clone())),
                Err(now) => count = now,
            }
        }
        None
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
