// SPDX-License-Identifier: GPL-2.0

//! Delayed destruction: BOs to which only the device still refers.

use kernel::{
    prelude::*,
    sync::atomic::Relaxed,
    time::Jiffies, //
};

use super::fake::{
    make_busy,
    signal_later,
    validate,
    Bo,
    Fixture,
    PAGE,
    SYSTEM,
    TT,
    VRAM,
    VRAM_PAGES, //
};
use crate::{
    rust::drm::ttm::{
        self,
        BoInit, //
    },
    tests::wait::{
        settle,
        soon, //
    },
};

// Declared as in `helpers.h`. Functions marked `safe` take no pointers.
unsafe extern "C" {
    safe fn rgt_test_signal_self();
    safe fn rgt_test_end_signals();
}

#[kunit_tests(rgt_bo_delayed)]
mod tests {
    use super::*;

    #[test]
    fn busy_one_keeps_its_memory() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 4)?;
        let (_, pending) = make_busy(bo.resv())?;

        drop(bo);
        settle();
        assert_eq!(fixture.vram.usage(), 4 * PAGE);
        assert_eq!(fixture.fate.notified(), 0);

        pending.signal(Ok(()));
        assert!(soon(|| fixture.fate.gone() == 1));
        assert_eq!(fixture.vram.usage(), 0);
        assert_eq!(fixture.fate.notified(), 1);
        Ok(())
    }

    #[test]
    fn so_does_one_in_pages() -> Result {
        let fixture = Fixture::new()?;
        let mut pending = KVec::new();

        for place in [TT, SYSTEM] {
            let bo = fixture.bo_in(place, 4)?;

            pending.push(make_busy(bo.resv())?.1, GFP_KERNEL)?;
        }
        settle();
        assert_eq!(fixture.gtt.usage(), 4 * PAGE);
        drop(pending);
        assert!(soon(|| fixture.fate.gone() == 2));
        assert_eq!(fixture.gtt.usage(), 0);
        Ok(())
    }

    #[test]
    fn one_without_backing_waits_as_well() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo(1)?;
        let (_, pending) = make_busy(bo.resv())?;

        drop(bo);
        settle();
        assert_eq!(fixture.fate.gone(), 0);
        pending.signal(Ok(()));
        assert!(soon(|| fixture.fate.gone() == 1));
        Ok(())
    }

    #[test]
    fn others_get_its_memory_when_it_is_idle() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, VRAM_PAGES)?;
        let (fence, pending) = make_busy(bo.resv())?;

        drop(bo);
        signal_later(pending)?;
        let new = fixture.bo_in_place_of_others(VRAM, VRAM_PAGES)?;

        assert!(fence.is_signaled());
        assert!(fixture.holds(&new, 0)?);
        assert!(soon(|| fixture.fate.gone() == 1));
        Ok(())
    }

    #[test]
    fn many_go_together() -> Result {
        let fixture = Fixture::new()?;
        let mut pending = KVec::new();

        for _ in 0..VRAM_PAGES {
            let bo = fixture.bo_in(VRAM, 1)?;

            pending.push(make_busy(bo.resv())?.1, GFP_KERNEL)?;
        }
        for fence in pending {
            signal_later(fence)?;
        }
        let all = fixture.bo_in_place_of_others(VRAM, VRAM_PAGES)?;
        drop(all);
        assert!(soon(|| fixture.fate.gone() == VRAM_PAGES as i32 + 1));
        assert_eq!(fixture.vram.usage(), 0);
        Ok(())
    }

    #[test]
    fn the_last_to_keep_a_device_does_not_wait_for_itself() -> Result {
        let fixture = Fixture::new()?;
        let init = BoInit {
            size: PAGE as usize,
            alignment_pages: 0,
            resv: None,
        };
        let data = fixture.data().keeping(&fixture.drm);
        let bo = Bo::new(&fixture.drm, init, Ok::<_, Error>(data))?;
        let (_, pending) = make_busy(bo.resv())?;
        let fate = fixture.fate.clone();

        drop((bo, fixture));
        assert!(!fate.released());
        pending.signal(Ok(()));
        assert!(soon(|| fate.released()));
        assert_eq!(fate.gone(), 1);
        Ok(())
    }

    #[test]
    fn signal_ends_the_wait_for_one() -> Result {
        let fixture = Fixture::new()?;
        let ttm = ttm::Device::of(&*fixture.drm);
        let bo = fixture.bo_in(VRAM, 1)?;
        let (_, pending) = make_busy(bo.resv())?;

        drop(bo);
        signal_later(pending)?;
        rgt_test_signal_self();
        let done = ttm.flush_deletes();
        rgt_test_end_signals();
        assert_eq!(done, Err(ERESTARTSYS));

        // The flush that was left behind does not count for this one.
        ttm.flush_deletes()?;
        assert_eq!(fixture.fate.gone(), 1);
        Ok(())
    }

    #[test]
    fn only_those_in_device_memory_are_waited_for() -> Result {
        let fixture = Fixture::new()?;
        let ttm = ttm::Device::of(&*fixture.drm);
        let seen = ttm.deletions_done();
        let (pages, local) = (fixture.bo_in(TT, 1)?, fixture.bo_in(VRAM, 1)?);
        let (_, pages_pending) = make_busy(pages.resv())?;
        let (_, local_pending) = make_busy(local.resv())?;

        drop(pages);
        assert!(!ttm.wait_for_deletion(seen, Jiffies::MAX)?);
        drop(local);
        assert!(!ttm.wait_for_deletion(seen, 1)?);
        rgt_test_signal_self();
        let interrupted = ttm.wait_for_deletion(seen, Jiffies::MAX);
        rgt_test_end_signals();
        assert_eq!(interrupted, Err(ERESTARTSYS));

        signal_later(local_pending)?;
        assert!(ttm.wait_for_deletion(seen, Jiffies::MAX)?);
        // That one is known.
        assert!(!ttm.wait_for_deletion(ttm.deletions_done(), Jiffies::MAX)?);
        pages_pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn its_driver_is_not_asked_about_it() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, VRAM_PAGES)?;
        let (_, pending) = make_busy(bo.resv())?;
        let new = fixture.bo(VRAM_PAGES)?;
        // Evicted it would stay.
        bo.keep.store(true, Relaxed);

        drop(bo);
        let ttm = ttm::Device::of(&*fixture.drm);
        let seen = ttm.deletions_done();
        // TTM does not wait for it.
        assert_eq!(validate(&new, &[VRAM]), Err(ENOSPC));
        signal_later(pending)?;
        assert!(ttm.wait_for_deletion(seen, Jiffies::MAX)?);
        validate(&new, &[VRAM])?;
        assert_eq!(fixture.fate.asked(), 0);
        Ok(())
    }
}
