// SPDX-License-Identifier: GPL-2.0

//! The order in which jobs are run, and their outcomes.

use kernel::{
    prelude::*,
    time::Delta, //
};

use super::mock::{
    fence,
    outcome,
    settle,
    soon,
    Fixture,
    Task, //
};
use crate::{
    rust::{
        dma_resv::Usage,
        drm::sched::Priority, //
    },
    tests::rust::dma_resv::OwnResv, //
};

#[kunit_tests(rgt_sched_queue)]
mod tests {
    use super::*;

    #[test]
    fn entity_keeps_the_order() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let first = test.submit(&entity, 1)?;
        let second = test.submit(&entity, 2)?;
        let third = test.submit(&entity, 3)?;

        assert!(test.has_started(123));
        assert_eq!(first.context(), third.context());
        assert!(first.seqno() < second.seqno() && second.seqno() < third.seqno());

        test.finish(1);
        assert_eq!(outcome(&first), Ok(()));
        assert!(!second.is_signaled());
        test.finish(2);
        test.finish(3);
        assert_eq!(outcome(&second), Ok(()));
        assert_eq!(outcome(&third), Ok(()));
        assert!(soon(|| test.jobs() == 0));
        Ok(())
    }

    #[test]
    fn fence_is_published_before_the_job_is_run() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let mut seen = None;
        let fence = test.job(&entity, 1, Task::Nothing)?.submit(|fence| {
            settle();
            seen = Some((fence.as_raw(), fence.is_signaled(), test.started()));
        });

        assert_eq!(seen, Some((fence.as_raw(), false, 0)));
        outcome(&fence)
    }

    #[test]
    fn dependency_holds_the_queue() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let other = test.entity(Priority::Normal)?;
        let (job, pending) = test.held_job(&entity, 1, Task::Nothing)?;
        let first = job.submit(|_| ());
        let second = test.job(&entity, 2, Task::Nothing)?.submit(|_| ());
        let third = test.job(&other, 3, Task::Nothing)?.submit(|_| ());

        assert_eq!(outcome(&third), Ok(()));
        settle();
        assert_eq!(test.started(), 3);
        // It makes no difference how it ends.
        pending.signal(Err(EIO));
        assert_eq!(outcome(&first), Ok(()));
        assert_eq!(outcome(&second), Ok(()));
        assert_eq!(test.started(), 312);
        Ok(())
    }

    #[test]
    fn all_dependencies_count() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let (first, first_pending) = fence()?;
        let (second, second_pending) = fence()?;
        let mut job = test.job(&entity, 1, Task::Nothing)?;

        job.add_dependency(first)?;
        job.add_dependency(second)?;
        let fence = job.submit(|_| ());

        second_pending.signal(Ok(()));
        settle();
        assert_eq!(test.started(), 0);
        first_pending.signal(Ok(()));
        outcome(&fence)
    }

    #[test]
    fn job_waits_for_one_of_another_scheduler() -> Result {
        let before = Fixture::new(8, None)?;
        let after = before.another(8)?;
        let before_entity = before.entity(Priority::Normal)?;
        let after_entity = after.entity(Priority::Normal)?;
        let first = before.submit(&before_entity, 1)?;
        let mut job = after.job(&after_entity, 2, Task::Nothing)?;

        job.add_dependency(first)?;
        let second = job.submit(|_| ());

        assert!(before.has_started(1));
        settle();
        assert_eq!(after.started(), 0);
        before.finish(1);
        outcome(&second)
    }

    #[test]
    fn of_one_timeline_the_last_dependency_counts() -> Result {
        let before = Fixture::new(8, None)?;
        let after = before.another(8)?;
        let before_entity = before.entity(Priority::Normal)?;
        let after_entity = after.entity(Priority::Normal)?;
        let first = before.submit(&before_entity, 1)?;
        let second = before.submit(&before_entity, 2)?;
        let mut job = after.job(&after_entity, 3, Task::Nothing)?;

        job.add_dependency(first)?;
        job.add_dependency(second)?;
        let third = job.submit(|_| ());

        assert!(before.has_started(12));
        before.finish(1);
        settle();
        assert_eq!(after.started(), 0);
        before.finish(2);
        outcome(&third)
    }

    #[test]
    fn job_waits_for_one_of_its_own_scheduler_to_run() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let other = test.entity(Priority::Normal)?;
        let last = test.entity(Priority::Normal)?;
        let mut first = test.job(&entity, 1, Task::Long)?;
        first.dont_pipeline();
        let first = first.submit(|_| ());
        let mut second = test.job(&other, 2, Task::Long)?;
        second.add_dependency(first.clone())?;
        let second = second.submit(|_| ());
        let mut third = test.job(&last, 3, Task::Nothing)?;
        third.add_dependency(second.clone())?;
        let third = third.submit(|_| ());

        // The outcome of the first matters.
        assert!(test.has_started(1));
        settle();
        assert_eq!(test.started(), 1);
        test.finish(1);
        assert_eq!(outcome(&first), Ok(()));
        // That of the second does not.
        assert!(test.has_started(123));
        assert!(!second.is_signaled());
        test.finish(2);
        assert_eq!(outcome(&second), Ok(()));
        outcome(&third)
    }

    #[test]
    fn deadline_reaches_the_hardware() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let (job, pending) = test.held_job(&entity, 1, Task::Long)?;
        let fence = job.submit(|_| ());

        // Before there is anything that it could reach.
        fence.set_deadline(Delta::from_secs(1000));
        pending.signal(Ok(()));
        assert!(test.has_started(1));
        assert!(soon(|| test.deadline(1).is_some()));
        fence.set_deadline(Delta::from_millis(-1));
        assert!(test.deadline(1).is_some_and(Delta::is_negative));
        test.finish(1);
        outcome(&fence)
    }

    #[test]
    fn reservation_is_waited_for_by_usage() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let resv = OwnResv::new()?;
        let (write, write_pending) = fence()?;
        let (read, read_pending) = fence()?;
        let fence = {
            let locked = resv.lock()?;
            let [write_slot, read_slot] = locked.reserve_fences()?;

            write_slot.add(&write, Usage::Write);
            read_slot.add(&read, Usage::Read);
            let mut job = test.job(&entity, 1, Task::Nothing)?;
            job.add_resv_dependencies(&locked, Usage::Write)?;
            job.submit(|_| ())
        };

        settle();
        assert_eq!(test.started(), 0);
        write_pending.signal(Ok(()));
        assert_eq!(outcome(&fence), Ok(()));
        read_pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn higher_priority_goes_first() -> Result {
        let test = Fixture::new(1, None)?;
        let low = test.entity(Priority::Low)?;
        let normal = test.entity(Priority::Normal)?;
        let high = test.entity(Priority::High)?;
        let kernel = test.entity(Priority::Kernel)?;
        let blocker = test.submit(&normal, 9)?;

        assert!(test.has_started(9));
        let last = test.job(&low, 1, Task::Nothing)?.submit(|_| ());
        test.job(&normal, 2, Task::Nothing)?.submit(|_| ());
        test.job(&high, 3, Task::Nothing)?.submit(|_| ());
        test.job(&kernel, 4, Task::Nothing)?.submit(|_| ());
        settle();
        assert_eq!(test.started(), 9);

        test.finish(9);
        assert_eq!(outcome(&blocker), Ok(()));
        assert_eq!(outcome(&last), Ok(()));
        assert_eq!(test.started(), 94321);
        Ok(())
    }

    #[test]
    fn credits_hold_jobs_back() -> Result {
        let test = Fixture::new(3, None)?;
        let entity = test.entity(Priority::Normal)?;

        test.job_of(&entity, 1, 2)?.submit(|_| ());
        test.job_of(&entity, 2, 1)?.submit(|_| ());
        let third = test.job_of(&entity, 3, 2)?.submit(|_| ());

        assert!(test.has_started(12));
        assert_eq!(test.sched.credits_in_use(), 3);
        assert_eq!(entity.queued(), 1);
        // One credit is not enough.
        test.finish(2);
        assert!(soon(|| test.sched.credits_in_use() == 2));
        settle();
        assert_eq!(test.started(), 12);
        test.finish(1);
        assert!(test.has_started(123));
        assert_eq!(entity.queued(), 0);
        test.finish(3);
        assert_eq!(outcome(&third), Ok(()));
        assert_eq!(test.sched.credits_in_use(), 0);
        Ok(())
    }

    #[test]
    fn credits_must_fit_the_scheduler() -> Result {
        let test = Fixture::new(3, None)?;
        let entity = test.entity(Priority::Normal)?;

        assert_eq!(test.job_of(&entity, 1, 0).err(), Some(EINVAL));
        assert_eq!(test.job_of(&entity, 1, 4).err(), Some(EINVAL));
        assert_eq!(test.jobs(), 0);
        test.job_of(&entity, 1, 3).map(drop)
    }

    #[test]
    fn refused_job_ends_with_the_error() -> Result {
        let test = Fixture::new(1, None)?;
        let entity = test.entity(Priority::Normal)?;
        let refused = test.job(&entity, 1, Task::Fail(ENODEV))?.submit(|_| ());
        let next = test.job(&entity, 2, Task::Nothing)?.submit(|_| ());

        assert_eq!(outcome(&refused), Err(ENODEV));
        assert_eq!(outcome(&next), Ok(()));
        assert!(soon(|| test.jobs() == 0));
        Ok(())
    }

    #[test]
    fn hardware_error_is_the_jobs() -> Result {
        let test = Fixture::new(1, None)?;
        let entity = test.entity(Priority::Normal)?;
        let fence = test.submit(&entity, 1)?;

        assert!(test.has_started(1));
        test.fail(1, ENOSPC);
        assert_eq!(outcome(&fence), Err(ENOSPC));
        Ok(())
    }
}
