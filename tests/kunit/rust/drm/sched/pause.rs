// SPDX-License-Identifier: GPL-2.0

//! Schedulers that are paused.

use kernel::{
    prelude::*,
    time::msecs_to_jiffies, //
};

use super::mock::{
    outcome,
    settle,
    soon,
    Fixture, //
};
use crate::rust::drm::sched::Priority;

#[kunit_tests(rgt_sched_pause)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_run_meanwhile() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let running = test.submit(&entity, 1)?;

        assert!(test.has_started(1));
        let paused = test.sched.pause()?;
        let queued = test.submit(&entity, 2)?;
        // What the hardware has goes on.
        test.finish(1);
        assert_eq!(outcome(&running), Ok(()));
        settle();
        assert_eq!((test.started(), test.jobs()), (1, 1));

        drop(paused);
        assert!(test.has_started(12));
        test.finish(2);
        assert_eq!(outcome(&queued), Ok(()));
        assert!(soon(|| test.jobs() == 0));
        Ok(())
    }

    #[test]
    fn pauses_nest() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let outer = test.sched.pause()?;
        let inner = test.sched.pause()?;
        let fence = test.submit(&entity, 1)?;

        drop(outer);
        settle();
        assert_eq!(test.started(), 0);
        drop(inner);
        assert!(test.has_started(1));
        test.finish(1);
        outcome(&fence)
    }

    #[test]
    fn reset_does_not_end_a_pause() -> Result {
        let test = Fixture::new(8, Some(msecs_to_jiffies(60_000)))?;
        let entity = test.entity(Priority::Normal)?;
        let guilty = test.hanging_job(&entity, 1)?.submit(|_| ());

        assert!(test.has_started(1));
        let paused = test.sched.pause()?;
        let next = test.submit(&entity, 2)?;
        test.sched.fault();
        assert_eq!(outcome(&guilty), Err(EIO));
        settle();
        assert_eq!(test.started(), 1);
        drop(paused);
        assert!(test.has_started(12));
        test.finish(2);
        outcome(&next)
    }

    /// The kernel warns when a scheduler is not stopped while its jobs are visited.
    #[test]
    fn pause_that_ends_during_a_reset_leaves_the_scheduler_stopped() -> Result {
        let test = Fixture::new(8, Some(msecs_to_jiffies(60_000)))?;
        let entity = test.entity(Priority::Normal)?;
        let guilty = test.hanging_job(&entity, 1)?.submit(|_| ());

        assert!(test.has_started(1));
        let paused = test.sched.pause()?;
        let next = test.submit(&entity, 2)?;
        let gate = test.hw.gate.lock();
        test.sched.fault();
        let resets = soon(|| test.hw.resets() == 1);
        drop(paused);
        drop(gate);
        assert!(resets);
        assert_eq!(outcome(&guilty), Err(EIO));
        assert!(test.has_started(12));
        test.finish(2);
        outcome(&next)
    }

    /// A time-out looks at the oldest job that is not freed.
    #[test]
    fn job_that_hangs_behind_one_that_has_ended_is_found() -> Result {
        let test = Fixture::new(8, Some(msecs_to_jiffies(60_000)))?;
        let entity = test.entity(Priority::Normal)?;
        let first = test.submit(&entity, 1)?;
        let guilty = test.hanging_job(&entity, 2)?.submit(|_| ());

        assert!(test.has_started(12));
        let paused = test.sched.pause()?;
        test.finish(1);
        assert_eq!(outcome(&first), Ok(()));
        assert!(soon(|| test.jobs() == 1));
        test.sched.fault();
        assert_eq!(outcome(&guilty), Err(EIO));
        drop(paused);
        Ok(())
    }
}
