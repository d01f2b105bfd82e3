// SPDX-License-Identifier: GPL-2.0

//! Jobs that end while their scheduler is being stopped.

use core::hint::spin_loop;

use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    },
    time::msecs_to_jiffies,
    workqueue, //
};

use super::mock::{
    outcome,
    soon,
    Fixture, //
};
use crate::rust::{
    bindings,
    drm::sched::Priority, //
};

// Declared as in `probe.h`. Functions marked `safe` take no pointers.
unsafe extern "C" {
    fn rgt_test_race_begin(
        symbol: *const c_char,
        work: *mut bindings::work_struct,
        fence: *mut bindings::dma_fence,
    ) -> c_int;
    safe fn rgt_test_race_has_begun() -> bool;
    safe fn rgt_test_race_end() -> bool;
}

/// Probes that have job 1, which runs, end where a scheduler has just cancelled its work.
struct Race;

impl Race {
    /// [`EOPNOTSUPP`] on a kernel without probes.
    fn begin(symbol: &'static CStr, test: &Fixture) -> Result<Self> {
        let fence = test.fence(1).ok_or(ENOENT)?;
        // SAFETY: The scheduler is valid. Only the address is taken.
        let work = unsafe { &raw mut (*test.sched.as_raw()).work_free_job };
        let hw = test.hw.clone();

        // SAFETY: The name is static, the other addresses are only compared.
        to_result(unsafe { rgt_test_race_begin(symbol.as_char_ptr(), work, fence.as_raw()) })?;
        let this = Self;

        let ready = Arc::new(AtomicFlag::new(false), GFP_KERNEL)?;
        let looks = ready.clone();
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            looks.store(true, Relaxed);
            // Not asleep: the timer might be that of the CPU that waits for this.
            while !rgt_test_race_has_begun() {
                spin_loop();
            }
            // A race that was too late has no job any more, and says so.
            hw.try_finish(1);
        })?;
        // The probes wait with a CPU that cannot begin it.
        if !soon(|| ready.load(Relaxed)) {
            return Err(ETIMEDOUT);
        }
        Ok(this)
    }

    /// Returns whether the job has ended there.
    fn has_happened(self) -> bool {
        core::mem::forget(self);
        rgt_test_race_end()
    }
}

impl Drop for Race {
    fn drop(&mut self) {
        rgt_test_race_end();
    }
}

#[kunit_tests(rgt_sched_race)]
mod tests {
    use super::*;

    #[test]
    fn job_ends_while_the_scheduler_stops_for_a_reset() -> Result {
        let test = Fixture::new(8, Some(msecs_to_jiffies(60_000)))?;
        let entity = test.entity(Priority::Normal)?;
        let slow = test.hanging_job(&entity, 1)?.submit(|_| ());

        assert!(test.has_started(1));
        let race = Race::begin(c"drm_sched_stop", &test)?;
        test.sched.fault();
        assert_eq!(outcome(&slow), Ok(()));
        assert!(soon(|| test.jobs() == 0));
        assert!(race.has_happened());
        assert_eq!(test.resets(), 1);

        // The scheduler goes on.
        let next = test.submit(&entity, 2)?;
        assert!(test.has_started(12));
        test.finish(2);
        assert_eq!(outcome(&next), Ok(()));
        assert!(soon(|| test.jobs() == 0));
        Ok(())
    }

    #[test]
    fn job_ends_while_the_scheduler_goes() -> Result {
        let test = Fixture::new(8, Some(msecs_to_jiffies(60_000)))?;
        let entity = test.entity(Priority::Normal)?;
        let fence = test.submit(&entity, 1)?;
        let jobs = test.counter();

        assert!(test.has_started(1));
        let race = match Race::begin(c"drm_sched_fini", &test) {
            Err(err) => {
                test.finish(1);
                return Err(err);
            }
            Ok(race) => race,
        };
        drop((entity, test));
        assert!(race.has_happened());
        assert_eq!(fence.status(), Some(Ok(())));
        assert_eq!(jobs.load(Relaxed), 0);
        Ok(())
    }
}
