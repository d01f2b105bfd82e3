// SPDX-License-Identifier: GPL-2.0

//! Jobs that find out what else they wait for when it is their turn.

use kernel::prelude::*;

use super::mock::{
    fence,
    outcome,
    settle,
    soon,
    Fixture,
    Hurdles,
    Task, //
};
use crate::rust::drm::sched::Priority;

#[kunit_tests(rgt_sched_prepare)]
mod tests {
    use super::*;

    #[test]
    fn job_is_prepared_until_nothing_is_left_to_wait_for() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let other = test.entity(Priority::Normal)?;
        let hurdles = Hurdles::new()?;
        let (dependency, met) = fence()?;
        let (second, second_pending) = fence()?;
        let (first, first_pending) = fence()?;

        hurdles.add(second)?;
        hurdles.add(first)?;
        let mut job = test.prepared_job(&entity, 1, &hurdles)?;
        job.add_dependency(dependency)?;
        let fence = job.submit(|_| ());
        test.submit(&other, 2)?;

        // Not before its dependencies are met, and nothing else is held up.
        assert!(test.has_started(2));
        settle();
        assert_eq!(hurdles.asked(), 0);
        met.signal(Ok(()));
        assert!(soon(|| hurdles.asked() == 1));
        // Signalled already when it is returned.
        second_pending.signal(Err(EIO));
        settle();
        assert_eq!((hurdles.asked(), test.started()), (1, 2));
        first_pending.signal(Ok(()));
        assert!(test.has_started(21));
        assert_eq!(hurdles.asked(), 3);

        test.finish(1);
        test.finish(2);
        assert_eq!(outcome(&fence), Ok(()));
        assert!(soon(|| test.jobs() == 0));
        Ok(())
    }

    #[test]
    fn killed_entity_drops_what_was_prepared() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let hurdles = Hurdles::new()?;
        let (hurdle, pending) = fence()?;

        hurdles.add(hurdle)?;
        let fence = test.prepared_job(&entity, 1, &hurdles)?.submit(|_| ());
        assert!(soon(|| hurdles.asked() == 1));
        entity.kill();
        assert_eq!(outcome(&fence), Err(ESRCH));
        assert!(soon(|| test.jobs() == 0));
        pending.signal(Ok(()));
        settle();
        assert_eq!((hurdles.asked(), test.started()), (1, 0));
        Ok(())
    }

    /// Dependencies on jobs of the same scheduler are met when those run.
    #[test]
    fn job_of_the_same_scheduler_is_waited_for_to_its_end() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let other = test.entity(Priority::Normal)?;
        let hurdles = Hurdles::new()?;
        let (held, pending) = test.held_job(&other, 1, Task::Long)?;
        let before = test.submit(&entity, 2)?;

        // Neither has run when it is asked for: one of the queue's own, and one that is held up.
        hurdles.add(before)?;
        hurdles.add(held.submit(|_| ()))?;
        let last = test.prepared_job(&entity, 3, &hurdles)?.submit(|_| ());

        assert!(test.has_started(2));
        assert!(soon(|| hurdles.asked() == 1));
        settle();
        assert_eq!(hurdles.asked(), 1);
        pending.signal(Ok(()));
        assert!(test.has_started(21));
        settle();
        assert_eq!(hurdles.asked(), 1);
        test.finish(1);
        assert!(soon(|| hurdles.asked() == 2));
        settle();
        assert_eq!(test.started(), 21);
        test.finish(2);
        assert!(test.has_started(213));
        test.finish(3);
        outcome(&last)
    }

    #[test]
    fn job_that_waits_for_itself_ends() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let hurdles = Hurdles::new()?;
        let mut added = Ok(());
        let fence = test
            .prepared_job(&entity, 1, &hurdles)?
            .submit(|fence| added = hurdles.add(fence.into()));

        added?;
        assert_eq!(outcome(&fence), Err(EDEADLK));
        assert_eq!(test.started(), 0);

        let next = test.submit(&entity, 2)?;
        assert!(test.has_started(2));
        test.finish(2);
        outcome(&next)
    }
}
