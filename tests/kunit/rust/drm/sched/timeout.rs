// SPDX-License-Identifier: GPL-2.0

//! Jobs that take too long.

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

#[kunit_tests(rgt_sched_timeout)]
mod tests {
    use super::*;

    #[test]
    fn slow_job_is_left_alone() -> Result {
        let test = Fixture::new(8, Some(msecs_to_jiffies(20)))?;
        let entity = test.entity(Priority::Normal)?;
        let slow = test.submit(&entity, 1)?;

        // Its time runs before the hardware has it.
        assert!(test.has_started(1));
        assert!(soon(|| test.looks() >= 3));
        assert!(!slow.is_signaled());
        test.finish(1);
        assert_eq!(outcome(&slow), Ok(()));
        assert_eq!(test.resets(), 0);
        assert!(soon(|| test.jobs() == 0));
        Ok(())
    }

    #[test]
    fn jobs_without_timeout_are_not_checked() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let fence = test.submit(&entity, 1)?;

        assert!(test.has_started(1));
        settle();
        assert_eq!(test.looks(), 0);
        test.finish(1);
        outcome(&fence)
    }

    #[test]
    fn hang_costs_only_the_guilty_job() -> Result {
        // Looked at when the test says so: if the time were up again before the job is freed, it
        // would be reset again.
        let test = Fixture::new(8, Some(msecs_to_jiffies(60_000)))?;
        let entity = test.entity(Priority::Normal)?;
        let other = test.entity(Priority::Normal)?;
        let guilty = test.hanging_job(&entity, 1)?.submit(|_| ());
        let innocent = test.submit(&other, 2)?;

        assert!(test.has_started(12));
        test.sched.fault();
        assert_eq!(outcome(&guilty), Err(EIO));
        assert!(soon(|| test.jobs() == 1));
        assert_eq!(test.resets(), 1);
        // The hardware still has it.
        assert_eq!(test.started(), 12);
        assert!(!innocent.is_signaled());
        test.finish(2);
        assert_eq!(outcome(&innocent), Ok(()));

        // The scheduler goes on, and has all of its credits.
        let mut last = test.submit(&entity, 3)?;
        for id in 4..10 {
            last = test.submit(&entity, id)?;
        }
        assert!(test.has_started(123_456_789));
        for id in 3..10 {
            test.finish(id);
        }
        assert_eq!(outcome(&last), Ok(()));
        assert!(soon(|| test.jobs() == 0));
        Ok(())
    }

    #[test]
    fn job_that_ends_during_a_reset_keeps_its_result() -> Result {
        let test = Fixture::new(8, Some(msecs_to_jiffies(50)))?;
        let entity = test.entity(Priority::Normal)?;
        let guilty = test.hanging_job(&entity, 1)?.submit(|_| ());
        let failed = test.submit(&entity, 2)?;

        assert!(test.has_started(12));
        test.fail(2, ENOSPC);
        assert_eq!(outcome(&guilty), Err(EIO));
        assert_eq!(outcome(&failed), Err(ENOSPC));
        assert!(soon(|| test.jobs() == 0));
        Ok(())
    }

    #[test]
    fn fault_does_not_wait_for_the_timeout() -> Result {
        let test = Fixture::new(8, Some(msecs_to_jiffies(60_000)))?;
        let entity = test.entity(Priority::Normal)?;
        let guilty = test.hanging_job(&entity, 1)?.submit(|_| ());

        assert!(test.has_started(1));
        test.sched.fault();
        assert_eq!(outcome(&guilty), Err(EIO));
        assert_eq!(test.resets(), 1);
        Ok(())
    }
}
