// SPDX-License-Identifier: GPL-2.0

//! The choice of the BO to evict when there is no room.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Relaxed,
        Arc,
        Completion, //
    },
    workqueue, //
};

use super::fake::{
    make_busy,
    mem_type,
    signal_later,
    validate,
    Bo,
    Fixture,
    Reserved,
    GTT_PAGES,
    LOWER,
    PAGE,
    SYSTEM,
    TT,
    UPPER,
    VRAM,
    VRAM_PAGES, //
};
use crate::{
    rust::drm::{
        exec::{
            Exec,
            ExecFlags, //
        },
        ttm::{
            AllocFlags,
            MemType,
            OperationCtx,
            Placement, //
        }, //
    },
    tests::wait::settle, //
};

const HALF: usize = VRAM_PAGES / 2;
const QUARTER: usize = VRAM_PAGES / 4;

const VRAM_TYPE: Option<MemType> = Some(MemType::VRAM);
const TT_TYPE: Option<MemType> = Some(MemType::TT);
const SYSTEM_TYPE: Option<MemType> = Some(MemType::SYSTEM);

/// Has another task hold the lock of a BO for a while, at the end of which the BO may move to
/// pages. What is returned completes behind that.
fn hold(bo: &ARef<Bo>, moves: bool) -> Result<Arc<Completion>> {
    let holds = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
    let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
    let (bo, theirs, their_done) = (bo.clone(), holds.clone(), done.clone());

    workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
        if let Ok(mut guard) = bo.reserve(false) {
            theirs.complete_all();
            settle();
            if moves {
                // Where it is in the end says whether that was possible.
                let _ = guard
                    .reserved()
                    .validate(&Placement::new(&[TT]), &mut OperationCtx::new(false));
            }
        }
        theirs.complete_all();
        drop(bo);
        their_done.complete_all();
    })?;
    holds.wait_for_completion();
    Ok(done)
}

/// Validates a BO to VRAM as jobs do: with a ticket, so that it can wait for the locks of others.
fn validate_with_ticket(bo: &Bo) -> Result {
    KBox::pin_init(Exec::new(ExecFlags::default(), 1), GFP_KERNEL)?
        .as_mut()
        .until_all_locked(|locks| {
            locks.prepare(bo.as_gem(), 1)?;
            Reserved::of_exec(locks, bo)?
                .validate(&Placement::new(&[VRAM]), &mut OperationCtx::new(false))
        })
}

#[kunit_tests(rgt_bo_evict)]
mod tests {
    use super::*;

    #[test]
    fn oldest_goes_first() -> Result {
        let fixture = Fixture::new()?;
        let mut bos = KVec::new();

        for number in 0..4 {
            let bo = fixture.bo_in(VRAM, QUARTER)?;

            fixture.fill(Some(&bo), number)?;
            bos.push(bo, GFP_KERNEL)?;
        }
        fixture.take_moves();
        let _new = fixture.bo_in(VRAM, QUARTER)?;

        assert_eq!(mem_type(&bos[0])?, TT_TYPE);
        for bo in &bos[1..] {
            assert_eq!(mem_type(bo)?, VRAM_TYPE);
        }
        assert!(fixture
            .take_moves()
            .contains(&(VRAM_TYPE, MemType::TT, true)));
        for (number, bo) in bos.iter().enumerate() {
            validate(bo, &[VRAM])?;
            assert!(fixture.holds(bo, number as u64)?);
        }
        Ok(())
    }

    #[test]
    fn use_makes_young() -> Result {
        let fixture = Fixture::new()?;
        let first = fixture.bo_in(VRAM, HALF)?;
        let second = fixture.bo_in(VRAM, HALF)?;

        // A lock alone is no use.
        for (touch, goes) in [(false, &first), (true, &second)] {
            KBox::pin_init(Exec::new(ExecFlags::default(), 1), GFP_KERNEL)?
                .as_mut()
                .until_all_locked(|locks| {
                    locks.lock(first.as_gem())?;
                    if touch {
                        Reserved::of_exec(locks, &first)?.touch();
                    }
                    Ok(())
                })?;
            let new = fixture.bo_in(VRAM, HALF)?;

            assert_eq!(mem_type(goes)?, TT_TYPE);
            drop(new);
            validate(&first, &[VRAM])?;
            validate(&second, &[VRAM])?;
        }
        Ok(())
    }

    #[test]
    fn reserving_is_no_use() -> Result {
        let fixture = Fixture::new()?;
        let first = fixture.bo_in(VRAM, HALF)?;
        let second = fixture.bo_in(VRAM, HALF)?;

        drop(first.reserve(false)?);
        let _new = fixture.bo_in(VRAM, HALF)?;
        assert_eq!(mem_type(&first)?, TT_TYPE);
        assert_eq!(mem_type(&second)?, VRAM_TYPE);
        Ok(())
    }

    #[test]
    fn as_many_go_as_it_takes() -> Result {
        let fixture = Fixture::new()?;
        let mut bos = KVec::new();

        for _ in 0..VRAM_PAGES {
            bos.push(fixture.bo_in(VRAM, 1)?, GFP_KERNEL)?;
        }
        let _all = fixture.bo_in(VRAM, VRAM_PAGES)?;

        for bo in &bos {
            assert_eq!(mem_type(bo)?, TT_TYPE);
        }
        assert_eq!(fixture.gtt.usage(), VRAM_PAGES as u64 * PAGE);
        Ok(())
    }

    #[test]
    fn not_those_that_are_not_worth_it() -> Result {
        let fixture = Fixture::new()?;
        let kept = fixture.bo_in(VRAM, HALF)?;
        let other = fixture.bo_in(VRAM, HALF)?;

        kept.keep.store(true, Relaxed);
        let _new = fixture.bo_in(VRAM, HALF)?;
        assert_eq!(mem_type(&kept)?, VRAM_TYPE);
        assert_eq!(mem_type(&other)?, TT_TYPE);
        Ok(())
    }

    #[test]
    fn not_those_that_are_elsewhere() -> Result {
        let fixture = Fixture::new()?;
        let lower = fixture.bo_in(LOWER, HALF)?;
        let upper = fixture.bo_in(UPPER, HALF)?;

        let _new = fixture.bo_in(UPPER, 1)?;
        assert_eq!(mem_type(&lower)?, VRAM_TYPE);
        assert_eq!(mem_type(&upper)?, TT_TYPE);
        Ok(())
    }

    #[test]
    fn not_those_that_are_locked_along() -> Result {
        let fixture = Fixture::new()?;
        let locked = fixture.bo_in(VRAM, HALF)?;
        let free = fixture.bo_in(VRAM, HALF)?;
        let new = fixture.bo(HALF)?;

        KBox::pin_init(Exec::new(ExecFlags::default(), 2), GFP_KERNEL)?
            .as_mut()
            .until_all_locked(|locks| {
                locks.prepare(locked.as_gem(), 1)?;
                locks.prepare(new.as_gem(), 1)?;
                Reserved::of_exec(locks, &new)?
                    .validate(&Placement::new(&[VRAM]), &mut OperationCtx::new(false))
            })?;
        assert_eq!(mem_type(&locked)?, VRAM_TYPE);
        assert_eq!(mem_type(&free)?, TT_TYPE);
        assert_eq!(mem_type(&new)?, VRAM_TYPE);
        Ok(())
    }

    #[test]
    fn one_that_is_locked_is_waited_for() -> Result {
        let fixture = Fixture::new()?;
        let old = fixture.bo_in(VRAM, VRAM_PAGES)?;
        let new = fixture.bo(VRAM_PAGES)?;
        let released = hold(&old, false)?;
        let result = validate_with_ticket(&new);

        released.wait_for_completion();
        assert_eq!(result, Ok(()));
        assert_eq!(mem_type(&old)?, TT_TYPE);
        Ok(())
    }

    #[test]
    fn one_that_has_left_meanwhile_is_left_alone() -> Result {
        let fixture = Fixture::new()?;
        let old = fixture.bo_in(VRAM, VRAM_PAGES)?;
        let new = fixture.bo(VRAM_PAGES)?;
        let released = hold(&old, true)?;
        // TTM may find that nothing has gone, and not that there is room.
        let _ = validate_with_ticket(&new);

        released.wait_for_completion();
        assert_eq!(mem_type(&old)?, TT_TYPE);
        assert_eq!(validate(&new, &[VRAM]), Ok(()));
        Ok(())
    }

    #[test]
    fn no_space_if_none_goes() -> Result {
        for (flags, error) in [
            (AllocFlags::PROPAGATE_ENOSPC, ENOSPC),
            (AllocFlags::NONE, ENOMEM),
        ] {
            let fixture = Fixture::with(GTT_PAGES, flags)?;
            let kept = fixture.bo_in(VRAM, VRAM_PAGES)?;
            let new = fixture.bo(1)?;

            kept.keep.store(true, Relaxed);
            assert_eq!(validate(&new, &[VRAM]), Err(error));
            assert_eq!(mem_type(&new)?, None);

            // The next place will do.
            validate(&new, &[VRAM, TT])?;
            assert_eq!(mem_type(&new)?, TT_TYPE);
        }
        Ok(())
    }

    #[test]
    fn goes_on_to_system_when_gtt_is_full() -> Result {
        let fixture = Fixture::with(HALF, AllocFlags::PROPAGATE_ENOSPC)?;
        let mut bos = KVec::new();

        for number in 0..4 {
            let bo = fixture.bo_in(VRAM, HALF)?;

            fixture.fill(Some(&bo), number)?;
            bos.push(bo, GFP_KERNEL)?;
        }
        // GTT has room for one at a time.
        assert_eq!(mem_type(&bos[0])?, SYSTEM_TYPE);
        assert_eq!(mem_type(&bos[3])?, VRAM_TYPE);
        assert!(fixture.gtt.usage() <= HALF as u64 * PAGE);
        assert_eq!(fixture.vram.usage(), VRAM_PAGES as u64 * PAGE);
        for (number, bo) in bos.iter().enumerate() {
            validate(bo, &[VRAM])?;
            assert!(fixture.holds(bo, number as u64)?);
        }
        Ok(())
    }

    #[test]
    fn gtt_is_evicted_to_system() -> Result {
        let fixture = Fixture::with(HALF, AllocFlags::PROPAGATE_ENOSPC)?;
        let first = fixture.bo_in(TT, HALF)?;
        let second = fixture.bo_in(TT, HALF)?;

        assert_eq!(mem_type(&first)?, SYSTEM_TYPE);
        assert_eq!(mem_type(&second)?, TT_TYPE);
        // An unlimited memory type evicts no BO.
        let _third = fixture.bo_in(SYSTEM, VRAM_PAGES)?;
        assert_eq!(mem_type(&second)?, TT_TYPE);
        Ok(())
    }

    #[test]
    fn waits_for_who_goes() -> Result {
        let fixture = Fixture::new()?;
        let busy = fixture.bo_in(VRAM, VRAM_PAGES)?;
        let (fence, pending) = make_busy(busy.resv())?;

        signal_later(pending)?;
        let _new = fixture.bo_in(VRAM, 1)?;
        assert!(fence.is_signaled());
        assert_eq!(mem_type(&busy)?, TT_TYPE);
        Ok(())
    }
}
