// SPDX-License-Identifier: GPL-2.0

//! The end of jobs, entities and schedulers.

use kernel::{
    prelude::*,
    sync::atomic::Relaxed,
    time::{
        delay::fsleep,
        msecs_to_jiffies,
        Delta, //
    },
    workqueue, //
};

use super::mock::{
    outcome,
    settle,
    soon,
    Fixture,
    Task, //
};
use crate::rust::drm::sched::Priority;

#[kunit_tests(rgt_sched_end)]
mod tests {
    use super::*;

    #[test]
    fn dropped_job_leaves_nothing() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let (job, pending) = test.held_job(&entity, 1, Task::Long)?;

        assert_eq!(test.jobs(), 1);
        drop(job);
        assert_eq!(test.jobs(), 0);
        pending.signal(Ok(()));

        // The queue does not know that there was one.
        let next = test.job(&entity, 2, Task::Nothing)?.submit(|_| ());
        assert_eq!(next.seqno(), 1);
        assert_eq!(outcome(&next), Ok(()));
        assert_eq!(test.started(), 2);
        Ok(())
    }

    #[test]
    fn killed_entity_ends_its_jobs() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let running = test.submit(&entity, 1)?;
        let (job, pending) = test.held_job(&entity, 2, Task::Long)?;
        let queued = job.submit(|_| ());
        let behind = test.submit(&entity, 3)?;

        assert!(test.has_started(1));
        entity.kill();
        test.finish(1);
        assert_eq!(outcome(&running), Ok(()));
        // It still says when what it depends on is done.
        settle();
        assert!(!queued.is_signaled() && !behind.is_signaled());
        pending.signal(Ok(()));
        assert_eq!(outcome(&queued), Err(ESRCH));
        assert_eq!(outcome(&behind), Err(ESRCH));
        assert_eq!(test.started(), 1);
        assert!(soon(|| test.jobs() == 0));
        Ok(())
    }

    #[test]
    fn dropped_entity_waits_for_its_queue() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let (job, pending) = test.held_job(&entity, 1, Task::Long)?;
        let fence = job.submit(|_| ());

        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            settle();
            pending.signal(Ok(()));
        })?;

        drop(entity);
        assert_eq!(test.started(), 1);
        assert!(!fence.is_signaled());
        test.finish(1);
        outcome(&fence)
    }

    #[test]
    fn scheduler_goes_with_jobs_pending() -> Result {
        let test = Fixture::new(8, Some(msecs_to_jiffies(60_000)))?;
        let entity = test.entity(Priority::Normal)?;
        let first = test.submit(&entity, 1)?;
        let second = test.submit(&entity, 2)?;
        let (hw, jobs) = (test.hw.clone(), test.counter());

        assert!(test.has_started(12));
        drop((entity, test));
        assert_eq!(first.status(), Some(Err(ECANCELED)));
        assert_eq!(second.status(), Some(Err(ECANCELED)));
        assert_eq!(jobs.load(Relaxed), 0);
        // Their callbacks are gone.
        hw.finish(1);
        hw.finish(2);
        Ok(())
    }

    #[test]
    fn scheduler_waits_for_killed_jobs() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let running = test.submit(&entity, 1)?;
        let (job, pending) = test.held_job(&entity, 2, Task::Long)?;
        let queued = job.submit(|_| ());
        let (hw, jobs) = (test.hw.clone(), test.counter());

        assert!(test.has_started(1));
        entity.kill();
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            // Later than the scheduler would be gone otherwise.
            fsleep(Delta::from_millis(500));
            pending.signal(Ok(()));
        })?;

        drop(test);
        assert_eq!(running.status(), Some(Err(ECANCELED)));
        assert_eq!(queued.status(), Some(Err(ESRCH)));
        assert_eq!(jobs.load(Relaxed), 0);
        hw.finish(1);
        Ok(())
    }

    #[test]
    fn scheduler_goes_while_jobs_hang() -> Result {
        for delay in 0..8 {
            let test = Fixture::new(8, Some(1))?;
            let entity = test.entity(Priority::Normal)?;
            let guilty = test.hanging_job(&entity, 1)?.submit(|_| ());
            let innocent = test.submit(&entity, 2)?;
            let (hw, jobs) = (test.hw.clone(), test.counter());

            assert!(test.has_started(12));
            fsleep(Delta::from_millis(delay));
            drop((entity, test));
            assert!(matches!(guilty.status(), Some(Err(EIO | ECANCELED))));
            assert_eq!(innocent.status(), Some(Err(ECANCELED)));
            assert_eq!(jobs.load(Relaxed), 0);
            drop(hw);
        }
        Ok(())
    }
}
