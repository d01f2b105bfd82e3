// SPDX-License-Identifier: GPL-2.0

//! Reservation objects: the lock, the fences, and room for them.

use core::ops::Deref;

use kernel::{
    prelude::*,
    time::{
        msecs_to_jiffies,
        Jiffies, //
    },
    types::Opaque,
    workqueue, //
};

use super::dma_fence::{
    fence,
    timeline, //
};
use crate::rust::{
    bindings,
    dma_fence::Fence,
    dma_resv::{
        FenceSlot,
        LockedResv,
        Resv,
        Usage, //
    },
};

const LONG: Jiffies = Jiffies::MAX;

/// A reservation object that belongs to no buffer.
#[pin_data(PinnedDrop)]
pub(in crate::tests) struct OwnResv {
    #[pin]
    raw: Opaque<bindings::dma_resv>,
}

impl OwnResv {
    pub(in crate::tests) fn new() -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                // SAFETY: `dma_resv_init()` initialises the memory, which does not move.
                raw <- Opaque::ffi_init(|raw| unsafe { bindings::dma_resv_init(raw) }),
            }),
            GFP_KERNEL,
        )
    }
}

#[pinned_drop]
impl PinnedDrop for OwnResv {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The object is initialised, and there is no reference to it any more.
        unsafe { bindings::dma_resv_fini(self.raw.get()) };
    }
}

impl Deref for OwnResv {
    type Target = Resv;

    fn deref(&self) -> &Resv {
        // SAFETY: The object is initialised and lives as long as `self`.
        unsafe { Resv::from_raw(self.raw.get()) }
    }
}

/// Reserves room for a fence and adds it.
pub(in crate::tests) fn add(locked: &LockedResv<'_>, fence: &Fence, usage: Usage) -> Result {
    let [slot] = locked.reserve_fences()?;

    slot.add(fence, usage);
    Ok(())
}

/// Reserves room for many fences.
fn room<'a>(locked: &'a LockedResv<'_>, n: usize) -> Result<KVVec<FenceSlot<'a>>> {
    let mut slots = KVVec::with_capacity(n, GFP_KERNEL)?;

    for _ in 0..n {
        let [slot] = locked.reserve_fences()?;

        slots.push(slot, GFP_KERNEL)?;
    }
    Ok(slots)
}

fn count(locked: &LockedResv<'_>, usage: Usage) -> Result<usize> {
    let mut count = 0;

    locked.for_each_fence(usage, |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

#[kunit_tests(rgt_resv)]
mod tests {
    use super::*;

    #[test]
    fn new_one_is_idle() -> Result {
        let resv = OwnResv::new()?;

        assert!(resv.test_signaled(Usage::Bookkeep));
        assert_eq!(count(&*resv.lock()?, Usage::Bookkeep)?, 0);
        resv.wait(Usage::Bookkeep, true, 0)
    }

    #[test]
    fn lock_excludes() -> Result {
        let resv = OwnResv::new()?;

        {
            let _guard = resv.lock()?;
            assert!(resv.try_lock().is_none());
        }
        {
            let _guard = resv.lock_interruptible()?;
            assert!(resv.try_lock().is_none());
        }
        {
            let guard = resv.try_lock();
            assert!(guard.is_some());
            assert!(resv.try_lock().is_none());
        }
        assert!(resv.try_lock().is_some());
        Ok(())
    }

    #[test]
    fn moves_are_no_users() -> Result {
        let resv = OwnResv::new()?;
        let (moved, end_of_move) = fence()?;
        let (used, end_of_use) = fence()?;
        let guard = resv.lock()?;

        assert!(!guard.has_users());
        add(&guard, &moved, Usage::Kernel)?;
        assert!(!guard.has_users());
        add(&guard, &used, Usage::Bookkeep)?;
        assert!(guard.has_users());
        end_of_use.signal(Ok(()));
        assert!(!guard.has_users());
        end_of_move.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn usages_are_ordered() -> Result {
        let resv = OwnResv::new()?;
        let usages = [Usage::Kernel, Usage::Write, Usage::Read, Usage::Bookkeep];
        let mut pending = KVec::new();

        {
            let guard = resv.lock()?;
            let slots = guard.reserve_fences::<4>()?;

            for (slot, usage) in slots.into_iter().zip(usages) {
                let (fence, right) = fence()?;

                pending.push(right, GFP_KERNEL)?;
                slot.add(&fence, usage);
            }

            for (index, usage) in usages.into_iter().enumerate() {
                assert_eq!(count(&guard, usage)?, index + 1);
            }
        }

        for (right, usage) in pending.into_iter().zip(usages) {
            assert!(!resv.test_signaled(usage));
            assert_eq!(resv.wait(usage, true, 0), Err(ETIME));
            right.signal(Ok(()));
            assert!(resv.test_signaled(usage));
        }
        resv.wait(Usage::Bookkeep, false, LONG)
    }

    #[test]
    fn wait_times_out() -> Result {
        let resv = OwnResv::new()?;
        let (fence, pending) = fence()?;

        add(&*resv.lock()?, &fence, Usage::Write)?;
        assert_eq!(
            resv.wait(Usage::Read, true, msecs_to_jiffies(20)),
            Err(ETIME)
        );
        // The usage before is not waited for.
        resv.wait(Usage::Kernel, true, msecs_to_jiffies(20))?;
        pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn wait_ends_when_the_fence_signals() -> Result {
        let resv = OwnResv::new()?;
        let (fence, pending) = fence()?;

        add(&*resv.lock()?, &fence, Usage::Write)?;
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || pending.signal(Ok(())))?;
        resv.wait(Usage::Write, false, LONG)
    }

    #[test]
    fn keeps_its_fences() -> Result {
        let resv = OwnResv::new()?;
        let (fence, pending) = fence()?;
        let context = fence.context();

        add(&*resv.lock()?, &fence, Usage::Write)?;
        drop(fence);
        pending.signal(Err(EIO));

        let (fence, pending) = super::fence()?;
        let guard = resv.lock()?;

        // The signalled fence makes room for the new one, and is not seen any more.
        add(&guard, &fence, Usage::Write)?;
        guard.for_each_fence(Usage::Bookkeep, |fence| {
            if fence.context() == context {
                return Err(EINVAL);
            }
            Ok(())
        })?;
        pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn slots_add_up() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;
        let mut pending = KVec::new();
        let many = guard.reserve_fences::<3>()?;
        let more = room(&guard, 60)?;

        for slot in Iterator::chain(more.into_iter(), many) {
            let (fence, right) = fence()?;

            pending.push(right, GFP_KERNEL)?;
            slot.add(&fence, Usage::Bookkeep);
        }
        assert_eq!(count(&guard, Usage::Bookkeep)?, 63);
        pending.into_iter().for_each(|right| right.signal(Ok(())));
        assert_eq!(count(&guard, Usage::Bookkeep)?, 0);
        Ok(())
    }

    #[test]
    fn unused_slots_are_given_back() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;

        for _ in 0..4 {
            drop(room(&guard, usize::from(u16::MAX) / 2)?);
        }
        Ok(())
    }

    #[test]
    fn absurd_reservations_fail() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;
        let [] = guard.reserve_fences()?;
        let slots = room(&guard, u16::MAX.into())?;

        assert!(guard.reserve_fences::<1>().is_err());
        drop(slots);
        assert!(guard.reserve_fences::<1>().is_ok());
        Ok(())
    }

    #[test]
    fn fences_of_a_timeline_may_come_in_any_order() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;
        let timeline = timeline()?;
        let (first, first_pending) = timeline.new_fence()?.publish();
        let (second, second_pending) = timeline.new_fence()?.publish();

        // The second stands for the first only where that comes before it.
        add(&guard, &second, Usage::Write)?;
        add(&guard, &first, Usage::Write)?;
        assert_eq!(count(&guard, Usage::Write)?, 2);
        first_pending.signal(Ok(()));
        assert!(!resv.test_signaled(Usage::Write));
        second_pending.signal(Ok(()));
        assert!(resv.test_signaled(Usage::Write));
        Ok(())
    }

    #[test]
    fn last_fence_of_a_timeline_stands_for_all() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;
        let timeline = timeline()?;
        let mut pending = KVec::new();

        // Created in another order than published.
        let (late, early) = (timeline.new_fence()?, timeline.new_fence()?);

        for unpublished in [early, late] {
            let (fence, right) = unpublished.publish();

            pending.push(right, GFP_KERNEL)?;
            add(&guard, &fence, Usage::Write)?;
        }
        assert_eq!(count(&guard, Usage::Write)?, 1);
        for right in pending {
            assert!(!resv.test_signaled(Usage::Write));
            right.signal(Ok(()));
        }
        assert!(resv.test_signaled(Usage::Write));
        Ok(())
    }

    #[test]
    fn reading_does_not_stand_for_writing() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;
        let timeline = timeline()?;
        let (written, written_pending) = timeline.new_fence()?.publish();
        let (read, read_pending) = timeline.new_fence()?.publish();

        add(&guard, &written, Usage::Write)?;
        add(&guard, &read, Usage::Read)?;
        // Who reads waits for the first, and not for the second.
        assert!(!resv.test_signaled(Usage::Write));
        assert_eq!(count(&guard, Usage::Read)?, 2);
        written_pending.signal(Ok(()));
        assert!(resv.test_signaled(Usage::Write));
        read_pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn walk_stops_at_an_error() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;
        let (one, one_pending) = fence()?;
        let (two, two_pending) = fence()?;
        let mut seen = 0;

        add(&guard, &one, Usage::Read)?;
        add(&guard, &two, Usage::Read)?;
        assert_eq!(
            guard.for_each_fence(Usage::Read, |_| {
                seen += 1;
                Err(EAGAIN)
            }),
            Err(EAGAIN)
        );
        assert_eq!(seen, 1);
        one_pending.signal(Ok(()));
        two_pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn walk_copes_with_changes() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;
        let (first, first_pending) = fence()?;
        let mut pending = KVec::new();

        add(&guard, &first, Usage::Read)?;
        drop(first);

        guard.for_each_fence(Usage::Read, |seen| {
            // Each time this asks for more than there is room for, so that the list of fences is
            // replaced while it is walked, and the walk starts again.
            if pending.len() < 5 {
                let (fence, right) = fence()?;

                let mut slots = room(&guard, 16 << (2 * pending.len()))?;

                slots.pop().ok_or(EINVAL)?.add(&fence, Usage::Read);
                pending.push(right, GFP_KERNEL)?;
            }
            assert!(!seen.is_signaled());
            Ok(())
        })?;

        assert_eq!(pending.len(), 5);
        assert_eq!(count(&guard, Usage::Read)?, 6);
        first_pending.signal(Ok(()));
        pending.into_iter().for_each(|right| right.signal(Ok(())));
        Ok(())
    }
}
