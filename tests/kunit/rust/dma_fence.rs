// SPDX-License-Identifier: GPL-2.0

//! Timelines, their fences, and what remains of them.

mod deadline;
mod merge;

use core::mem::ManuallyDrop;

use kernel::{
    interrupt::local_interrupt_disable,
    module::this_module,
    prelude::*,
    sync::{
        aref::ARef,
        rcu, //
    },
    time::{
        msecs_to_jiffies,
        Jiffies, //
    },
    workqueue, //
};

use crate::{
    rust::{
        bindings,
        dma_fence::{
            Fence,
            PendingFence,
            SignallingSection,
            Timeline, //
        },
    },
    tests::rust::module::rgt_test_module_refcount,
    LocalModule, //
};

const LONG: Jiffies = Jiffies::MAX;

pub(in crate::tests) fn timeline() -> Result<Timeline> {
    Timeline::new(
        this_module::<LocalModule>(),
        c"driver under test",
        c"timeline under test",
    )
}

fn publish(timeline: &Timeline) -> Result<(ARef<Fence>, PendingFence)> {
    Ok(timeline.new_fence()?.publish())
}

/// Creates a fence with a timeline of its own, so that it stands for no other.
pub(in crate::tests) fn fence() -> Result<(ARef<Fence>, PendingFence)> {
    publish(&timeline()?)
}

/// The names that the fence core shows for a fence: the driver's and the timeline's.
fn with_names<R>(fence: &Fence, f: impl FnOnce(&CStr, &CStr) -> R) -> R {
    let _rcu = rcu::read_lock();

    // SAFETY: The fence is valid, and both names are valid C strings in this RCU section.
    let (driver, timeline) = unsafe {
        (
            CStr::from_char_ptr(bindings::dma_fence_driver_name(fence.as_raw())),
            CStr::from_char_ptr(bindings::dma_fence_timeline_name(fence.as_raw())),
        )
    };
    f(driver, timeline)
}

#[kunit_tests(rgt_fence)]
mod tests {
    use super::*;

    #[test]
    fn stub_has_signalled() -> Result {
        let stub = Fence::stub();

        assert!(stub.is_signaled());
        assert_eq!(stub.status(), Some(Ok(())));
        stub.wait(false, 0)
    }

    #[test]
    fn unpublished_fence_is_dropped() -> Result {
        let timeline = timeline()?;

        drop(timeline.new_fence()?);
        Ok(())
    }

    #[test]
    fn published_fence_is_pending() -> Result {
        let timeline = timeline()?;
        let (fence, pending) = publish(&timeline)?;

        assert_eq!(fence.as_raw(), pending.fence().as_raw());
        assert!(!fence.is_signaled());
        assert_eq!(fence.status(), None);
        assert_eq!(fence.wait(false, 0), Err(ETIME));
        assert_eq!(fence.wait(true, msecs_to_jiffies(20)), Err(ETIME));
        pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn signal_completes() -> Result {
        let (fence, pending) = fence()?;

        pending.signal(Ok(()));
        assert!(fence.is_signaled());
        assert_eq!(fence.status(), Some(Ok(())));
        assert_eq!(fence.wait(true, 0), Ok(()));
        fence.wait(true, LONG)
    }

    #[test]
    fn signal_keeps_the_error() -> Result {
        let (fence, pending) = fence()?;

        pending.signal(Err(EIO));
        assert!(fence.is_signaled());
        assert_eq!(fence.status(), Some(Err(EIO)));
        // A wait only tells that the fence has signalled.
        fence.wait(true, LONG)
    }

    #[test]
    fn dropped_pending_fence_is_cancelled() -> Result {
        let (fence, pending) = fence()?;

        drop(pending);
        assert_eq!(fence.status(), Some(Err(ECANCELED)));
        Ok(())
    }

    #[test]
    fn pending_fence_keeps_the_fence() -> Result {
        let (fence, pending) = fence()?;

        drop(fence);
        assert_eq!(pending.fence().seqno(), 1);
        pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn timeline_numbers_in_the_order_of_publication() -> Result {
        let timeline = timeline()?;
        let (late, early) = (timeline.new_fence()?, timeline.new_fence()?);

        drop(timeline.new_fence()?);
        let (first, first_pending) = early.publish();
        let (second, second_pending) = late.publish();
        assert_eq!((first.seqno(), second.seqno()), (1, 2));

        // Unpublished ones keep it.
        let last = timeline.new_fence()?;
        drop(timeline);
        let (third, third_pending) = last.publish();
        assert_eq!((third.seqno(), third.context()), (3, first.context()));

        first_pending.signal(Ok(()));
        second_pending.signal(Ok(()));
        third_pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn pending_fence_keeps_the_module() -> Result {
        let references = rgt_test_module_refcount;
        let before = references();
        let timeline = timeline()?;

        if before < 0 {
            // It is built in, or stays.
            return Ok(());
        }

        assert_eq!(references(), before);
        drop(timeline.new_fence()?);
        assert_eq!(references(), before);

        let (signalled, pending) = publish(&timeline)?;
        assert_eq!(references(), before + 1);
        pending.signal(Ok(()));
        assert_eq!(references(), before);
        drop(signalled);

        // Its names are asked for as long as it has not signalled.
        let (fence, pending) = publish(&timeline)?;
        let forgotten = ManuallyDrop::new(pending);
        assert_eq!(references(), before + 1);
        assert!(!fence.is_signaled());
        ManuallyDrop::into_inner(forgotten).signal(Ok(()));
        Ok(())
    }

    #[test]
    fn contexts_are_distinct() -> Result {
        let (one, other) = (timeline()?, timeline()?);
        let (first, first_pending) = publish(&one)?;
        let (second, second_pending) = publish(&one)?;
        let (foreign, foreign_pending) = publish(&other)?;

        assert_eq!(first.context(), second.context());
        assert!(first.context() != foreign.context());
        first_pending.signal(Ok(()));
        second_pending.signal(Ok(()));
        foreign_pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn names_are_there_until_it_signals() -> Result {
        let (fence, pending) = fence()?;

        assert!(with_names(&fence, |driver, timeline| {
            driver == c"driver under test" && timeline == c"timeline under test"
        }));
        pending.signal(Ok(()));
        // The core has names of its own for a fence whose driver may be gone.
        assert!(with_names(&fence, |driver, timeline| {
            driver != c"driver under test" && timeline != c"timeline under test"
        }));
        Ok(())
    }

    #[test]
    fn signals_with_interrupts_off() -> Result {
        let timeline = timeline()?;
        let unpublished = timeline.new_fence()?;
        let (completed, completed_pending) = publish(&timeline)?;
        let (failed, failed_pending) = publish(&timeline)?;
        let (dropped, dropped_pending) = publish(&timeline)?;

        let published = {
            let _irq = local_interrupt_disable();

            completed_pending.signal(Ok(()));
            failed_pending.signal(Err(EIO));
            drop(dropped_pending);

            // The last reference goes here as well.
            let (published, pending) = unpublished.publish();
            pending.signal(Ok(()));
            published.status()
        };

        assert_eq!(completed.status(), Some(Ok(())));
        assert_eq!(failed.status(), Some(Err(EIO)));
        assert_eq!(dropped.status(), Some(Err(ECANCELED)));
        assert_eq!(published, Some(Ok(())));
        Ok(())
    }

    #[test]
    fn signals_in_a_signalling_section() -> Result {
        let (fence, pending) = fence()?;

        {
            let _outer = SignallingSection::begin();
            let _inner = SignallingSection::begin();
            pending.signal(Ok(()));
        }
        fence.wait(false, LONG)
    }

    #[test]
    fn wakes_a_waiter() -> Result {
        let (fence, pending) = fence()?;

        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || pending.signal(Ok(())))?;
        fence.wait(false, LONG)?;
        assert_eq!(fence.status(), Some(Ok(())));
        Ok(())
    }

    #[test]
    fn cancellation_wakes_a_waiter() -> Result {
        let (fence, pending) = fence()?;

        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || drop(pending))?;
        fence.wait(true, LONG)?;
        assert_eq!(fence.status(), Some(Err(ECANCELED)));
        Ok(())
    }
}
