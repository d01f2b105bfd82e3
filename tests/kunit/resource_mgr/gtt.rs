// SPDX-License-Identifier: GPL-2.0

//! GTT: a limit and what is used of it.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    },
    workqueue, //
};

use super::{
    alloc as alloc_aligned,
    is_full,
    Allocated,
    PAGE, //
};
use crate::{
    resource_mgr::Gtt,
    rust::drm::ttm::{
        MemType,
        Place,
        PlaceFlags, //
    },
    tests::wait::soon, //
};

fn alloc(gtt: &Gtt, pages: usize) -> Allocated<Gtt> {
    alloc_aligned(gtt, Place::new(MemType::TT, PlaceFlags::NONE), pages, 1)
}

#[kunit_tests(rgt_gtt)]
mod tests {
    use super::*;

    #[test]
    fn knows_its_limit() -> Result {
        assert_eq!(Gtt::new(8 * PAGE)?.limit(), 8 * PAGE);
        assert_eq!(Gtt::new(0)?.limit(), 0);
        assert!(Gtt::new(u64::MAX).is_err());
        Ok(())
    }

    #[test]
    fn gives_what_the_limit_allows() -> Result {
        let gtt = Gtt::new(8 * PAGE)?;
        let small = alloc(&gtt, 3)?;
        let rest = alloc(&gtt, 5)?;

        assert!(is_full(&alloc(&gtt, 1)));
        drop(small);
        assert!(is_full(&alloc(&gtt, 4)));
        drop(alloc(&gtt, 3)?);
        drop(rest);
        drop(alloc(&gtt, 8)?);
        Ok(())
    }

    #[test]
    fn failure_takes_nothing() -> Result {
        let gtt = Gtt::new(8 * PAGE)?;

        for pages in [9, 10, 1 << 30, isize::MAX as usize / PAGE as usize] {
            assert!(is_full(&alloc(&gtt, pages)));
        }
        drop(alloc(&gtt, 8)?);
        Ok(())
    }

    /// What fails takes nothing for a moment either, from others that fit.
    #[test]
    fn failures_at_the_same_time_take_nothing() -> Result {
        const TIMES: usize = 20_000;
        let gtt = Arc::new(Gtt::new(8 * PAGE)?, GFP_KERNEL)?;
        let stop = Arc::new(AtomicFlag::new(false), GFP_KERNEL)?;
        let running = Arc::new(Atomic::new(0_u32), GFP_KERNEL)?;

        for _ in 0..2 {
            let (gtt, stop, running) = (gtt.clone(), stop.clone(), running.clone());
            workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
                running.fetch_add(1, Relaxed);
                while !stop.load(Relaxed) {
                    assert!(is_full(&alloc(&gtt, 9)));
                }
                running.fetch_sub(1, Relaxed);
            })?;
        }
        let began = soon(|| running.load(Relaxed) != 0);
        let failed = (0..TIMES).filter(|_| alloc(&gtt, 8).is_err()).count();
        stop.store(true, Relaxed);
        let ended = soon(|| running.load(Relaxed) == 0);

        assert!(began && ended);
        assert_eq!(failed, 0);
        drop(alloc(&gtt, 8)?);
        Ok(())
    }

    #[test]
    fn has_nothing_without_a_limit() -> Result {
        assert!(is_full(&alloc(&Gtt::new(0)?, 1)));
        Ok(())
    }

    #[test]
    fn resource_outlives_the_manager() -> Result {
        let gtt = Gtt::new(8 * PAGE)?;
        let resource = alloc(&gtt, 8)?;

        drop(gtt);
        drop(resource);
        Ok(())
    }
}
