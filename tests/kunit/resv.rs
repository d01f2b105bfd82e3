// SPDX-License-Identifier: GPL-2.0

//! Reservation objects: the lock, the fences, and room for them.

use core::ops::Deref;

use kernel::{
    prelude::*,
    sync::aref::ARef,
    time::{
        msecs_to_jiffies,
        Jiffies, //
    },
    types::Opaque,
    workqueue, //
};

use crate::rust::{
    bindings,
    dma_fence::{
        Fence,
        PendingFence,
        Timeline, //
    },
    dma_resv::{
        LockedResv,
        Resv,
        Usage, //
    },
};

const LONG: Jiffies = Jiffies::MAX;

/// A reservation object that belongs to no buffer.
#[pin_data(PinnedDrop)]
pub(super) struct OwnResv {
    #[pin]
    raw: Opaque<bindings::dma_resv>,
}

impl OwnResv {
    pub(super) fn new() -> Result<Pin<KBox<Self>>> {
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
        // SAFETY: The object is initialised, and nobody has a reference to it any more.
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

/// A fence with a timeline of its own, so that it never takes another one's slot.
fn fence() -> Result<(ARef<Fence>, PendingFence)> {
    Ok(Timeline::new(c"kunit", c"resv").new_fence()?.publish(1))
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
    fn usages_are_ordered() -> Result {
        let resv = OwnResv::new()?;
        let usages = [Usage::Kernel, Usage::Write, Usage::Read, Usage::Bookkeep];
        let mut pending = KVec::new();

        {
            let guard = resv.lock()?;
            let mut slots = guard.reserve_fences(4)?;

            for usage in usages {
                let (fence, right) = fence()?;

                pending.push(right, GFP_KERNEL)?;
                slots.add(&fence, usage);
            }
            drop(slots);

            for (index, usage) in usages.into_iter().enumerate() {
                assert_eq!(count(&guard, usage)?, index + 1);
            }
        }

        for (right, usage) in pending.into_iter().zip(usages) {
            assert!(!resv.test_signaled(usage));
            assert_eq!(resv.wait(usage, true, 0), Err(ETIME));
            right.signal();
            assert!(resv.test_signaled(usage));
        }
        resv.wait(Usage::Bookkeep, false, LONG)
    }

    #[test]
    fn wait_times_out() -> Result {
        let resv = OwnResv::new()?;
        let (fence, pending) = fence()?;

        resv.lock()?.reserve_fences(1)?.add(&fence, Usage::Write);
        assert_eq!(
            resv.wait(Usage::Read, true, msecs_to_jiffies(20)),
            Err(ETIME)
        );
        // The usage before is not waited for.
        resv.wait(Usage::Kernel, true, msecs_to_jiffies(20))?;
        pending.signal();
        Ok(())
    }

    #[test]
    fn wait_ends_when_the_fence_signals() -> Result {
        let resv = OwnResv::new()?;
        let (fence, pending) = fence()?;

        resv.lock()?.reserve_fences(1)?.add(&fence, Usage::Write);
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || pending.signal())?;
        resv.wait(Usage::Write, false, LONG)
    }

    #[test]
    fn keeps_its_fences() -> Result {
        let resv = OwnResv::new()?;
        let (fence, pending) = fence()?;
        let context = fence.context();

        resv.lock()?.reserve_fences(1)?.add(&fence, Usage::Write);
        drop(fence);
        pending.signal_err(EIO);

        let (fence, pending) = super::fence()?;
        let guard = resv.lock()?;

        // The signalled fence makes room for the new one, and is not seen any more.
        guard.reserve_fences(1)?.add(&fence, Usage::Write);
        guard.for_each_fence(Usage::Bookkeep, |fence| {
            if fence.context() == context {
                return Err(EINVAL);
            }
            Ok(())
        })?;
        pending.signal();
        Ok(())
    }

    #[test]
    fn slots_add_up() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;
        let mut pending = KVec::new();
        let mut many = guard.reserve_fences(3)?;
        let mut more = guard.reserve_fences(60)?;

        for slots in [&mut more, &mut many] {
            for _ in 0..3 {
                let (fence, right) = fence()?;

                pending.push(right, GFP_KERNEL)?;
                slots.add(&fence, Usage::Bookkeep);
            }
        }
        for _ in 3..60 {
            let (fence, right) = fence()?;

            pending.push(right, GFP_KERNEL)?;
            more.add(&fence, Usage::Bookkeep);
        }
        assert_eq!(count(&guard, Usage::Bookkeep)?, 63);
        pending.into_iter().for_each(PendingFence::signal);
        assert_eq!(count(&guard, Usage::Bookkeep)?, 0);
        Ok(())
    }

    #[test]
    fn unused_slots_are_given_back() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;

        for _ in 0..4 {
            drop(guard.reserve_fences(u32::from(u16::MAX) / 2)?);
        }
        Ok(())
    }

    #[test]
    fn absurd_reservations_fail() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;
        let _slots = guard.reserve_fences(1)?;

        drop(guard.reserve_fences(0)?);
        assert!(guard.reserve_fences(1 << 20).is_err());
        assert!(guard.reserve_fences(u32::MAX - 1).is_err());
        assert!(guard.reserve_fences(u32::MAX).is_err());
        Ok(())
    }

    #[test]
    fn walk_stops_at_an_error() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;
        let (one, one_pending) = fence()?;
        let (two, two_pending) = fence()?;
        let mut slots = guard.reserve_fences(2)?;
        let mut seen = 0;

        slots.add(&one, Usage::Read);
        slots.add(&two, Usage::Read);
        assert_eq!(
            guard.for_each_fence(Usage::Read, |_| {
                seen += 1;
                Err(EAGAIN)
            }),
            Err(EAGAIN)
        );
        assert_eq!(seen, 1);
        one_pending.signal();
        two_pending.signal();
        Ok(())
    }

    #[test]
    fn walk_copes_with_changes() -> Result {
        let resv = OwnResv::new()?;
        let guard = resv.lock()?;
        let (first, first_pending) = fence()?;
        let mut pending = KVec::new();

        guard.reserve_fences(1)?.add(&first, Usage::Read);
        drop(first);

        guard.for_each_fence(Usage::Read, |seen| {
            // Each time this asks for more than there is room for, so that the list of fences is
            // replaced while it is walked, and the walk starts again.
            if pending.len() < 5 {
                let (fence, right) = fence()?;

                guard
                    .reserve_fences(16 << (2 * pending.len()))?
                    .add(&fence, Usage::Read);
                pending.push(right, GFP_KERNEL)?;
            }
            assert!(!seen.is_signaled());
            Ok(())
        })?;

        assert_eq!(pending.len(), 5);
        assert_eq!(count(&guard, Usage::Read)?, 6);
        first_pending.signal();
        pending.into_iter().for_each(PendingFence::signal);
        Ok(())
    }
}
