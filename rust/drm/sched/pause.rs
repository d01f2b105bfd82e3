// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Schedulers that run nothing for a while.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    job::Job,
    scheduler::Scheduler, //
};

/// Keeps a scheduler from running jobs until it is dropped, which is as dropping the scheduler.
///
/// Jobs can be submitted meanwhile, and those that the hardware has may end or time out. Nothing may
/// wait for jobs that have not run as long as it is held.
#[must_use = "the scheduler goes on when this is dropped"]
pub struct Paused<J: Job>(Arc<Scheduler<J>>);

impl<J: Job> Scheduler<J> {
    /// Pauses the scheduler. When this returns no job is being run. Pauses nest.
    ///
    /// For a driver that takes the hardware away from it, to suspend the device for example.
    /// [`EDEADLK`] in a call by the scheduler itself, which would be waited for.
    ///
    /// Unlike after `drm_sched_wqueue_stop()` jobs that have ended are freed: a time-out looks at the
    /// oldest job that is not, and would not see that the next one hangs.
    pub fn pause(self: &Arc<Self>) -> Result<Paused<J>> {
        if self.is_current() {
            return Err(EDEADLK);
        }
        self.inner().disable_run();
        Ok(Paused(self.clone()))
    }
}

impl<J: Job> Drop for Paused<J> {
    fn drop(&mut self) {
        // What has been queued meanwhile is run, unless there is another pause or a reset.
        self.0.inner().enable_run();
    }
}
