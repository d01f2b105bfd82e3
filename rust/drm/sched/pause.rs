// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Schedulers that run nothing for a while.

use kernel::prelude::*;

use super::{
    job::Job,
    scheduler::Scheduler, //
};

/// Keeps a scheduler from running jobs, and from freeing those that have ended, until it is dropped.
///
/// Jobs can be submitted meanwhile, and those that the hardware has may end or time out. Nothing may
/// wait for jobs that have not run as long as it is held.
#[must_use = "the scheduler goes on when this is dropped"]
pub struct Paused<'a, J: Job>(&'a Scheduler<J>);

impl<J: Job> Scheduler<J> {
    /// Pauses the scheduler. When this returns no job is being run. Pauses nest.
    ///
    /// For a driver that takes the hardware away from it, to suspend the device for example.
    /// [`EDEADLK`] in a call by the scheduler itself, which would be waited for.
    ///
    /// C: `drm_sched_wqueue_stop()`, `drm_sched_wqueue_start()`.
    pub fn pause(&self) -> Result<Paused<'_, J>> {
        if self.is_current() {
            return Err(EDEADLK);
        }
        self.inner().disable_work();
        Ok(Paused(self))
    }
}

impl<J: Job> Drop for Paused<'_, J> {
    fn drop(&mut self) {
        // What has been queued meanwhile is run, unless there is another pause or a reset.
        self.0.inner().enable_work();
    }
}
