// SPDX-License-Identifier: GPL-2.0

//! Jobs of killed entities that own the last reference to their scheduler.

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

use super::mock::{
    fence,
    outcome,
    soon,
    Fixture,
    MockJob, //
};
use crate::rust::{
    bindings,
    drm::sched::{
        Priority,
        Scheduler, //
    }, //
};

// Declared as in `helpers.h`.
unsafe extern "C" {
    fn rgt_test_expect_warning(test: *mut bindings::kunit) -> *mut c_void;
    fn rgt_test_end_warning(test: *mut bindings::kunit, handle: *mut c_void) -> c_int;
}

/// A reference to a scheduler, whose drop is expected to give a warning.
struct Last {
    sched: Option<Arc<Scheduler<MockJob>>>,
    test: *mut bindings::kunit,
    warnings: Arc<Atomic<i32>>,
}

// SAFETY: The test waits for the drop, the only user of the pointer.
unsafe impl Send for Last {}
// SAFETY: As above.
unsafe impl Sync for Last {}

impl Drop for Last {
    fn drop(&mut self) {
        // SAFETY: The test is running.
        let handle = unsafe { rgt_test_expect_warning(self.test) };

        self.sched = None;
        // SAFETY: As above; it is the handle of this task.
        let count = unsafe { rgt_test_end_warning(self.test, handle) };
        self.warnings.fetch_add(count, Relaxed);
    }
}

#[kunit_tests(rgt_sched_killed)]
mod tests {
    use super::*;

    #[test]
    fn killed_job_does_not_wait_for_itself() -> Result {
        let test = Fixture::new(8, None)?;
        let entity = test.entity(Priority::Normal)?;
        let warnings = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        let running = test.submit(&entity, 1)?;
        let last = Last {
            sched: Some(test.sched.clone()),
            // SAFETY: It may always be called.
            test: unsafe { bindings::kunit_get_current_test() },
            warnings: warnings.clone(),
        };
        let (dependency, pending) = fence()?;
        let mut job = test.loaded_job(&entity, 2, last)?;

        job.add_dependency(dependency)?;
        let killed = job.submit(|_| ());
        assert!(test.has_started(1));
        test.finish(1);
        assert_eq!(outcome(&running), Ok(()));
        entity.kill();

        // From here on only the job has a reference to the scheduler.
        drop(test);
        pending.signal(Ok(()));
        assert_eq!(outcome(&killed), Err(ESRCH));
        // A scheduler that is dropped in there would wait for the job. It is left alone instead.
        assert!(soon(|| warnings.load(Relaxed) == 1));
        Ok(())
    }
}
