// SPDX-License-Identifier: GPL-2.0

//! Buffer objects that share a reservation.

use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef, //
};

use super::fake::{
    make_busy,
    mem_type,
    validate,
    Bo,
    Fixture,
    Reserved,
    PAGE,
    TT,
    VRAM,
    VRAM_PAGES, //
};
use crate::{
    rust::{
        dma_resv::{
            LockedResv,
            Usage, //
        },
        drm::{
            exec::{
                Exec,
                ExecFlags, //
            },
            ttm::{
                BoInit,
                MemType,
                OperationCtx,
                Placement, //
            }, //
        }, //
    },
    tests::rust::drm::gpuvm::{
        vm,
        Vm, //
    },
    tests::wait::{
        settle,
        soon, //
    },
};

/// A buffer object that shares the reservation of a VM.
pub(in crate::tests) fn bo_with(fixture: &Fixture, vm: &Vm, pages: usize) -> Result<ARef<Bo>> {
    let guard = vm.resv().lock()?;
    let resv: &LockedResv<'_> = &guard;

    Bo::new(
        &fixture.drm,
        BoInit {
            size: pages * PAGE_SIZE,
            alignment_pages: 0,
            resv: Some((vm.resv_object(), resv)),
        },
        Ok::<_, Error>(fixture.data()),
    )
}

#[kunit_tests(rgt_bo_shared)]
mod tests {
    use super::*;

    #[test]
    fn one_lock_is_for_all() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let one = bo_with(&fixture, &vm, 1)?;
        let other = bo_with(&fixture, &vm, 1)?;

        assert_eq!(one.resv().as_raw(), vm.resv().as_raw());
        assert_eq!(other.resv().as_raw(), vm.resv().as_raw());
        {
            let _guard = one.reserve(false)?;

            assert!(other.resv().try_lock().is_none());
        }
        validate(&one, &[VRAM])?;
        validate(&other, &[VRAM])?;
        assert_eq!(fixture.vram.usage(), 2 * PAGE);
        drop((one, other));
        assert_eq!(fixture.vram.usage(), 0);
        Ok(())
    }

    #[test]
    fn may_be_dropped_while_the_lock_is_held() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = bo_with(&fixture, &vm, 1)?;

        validate(&bo, &[VRAM])?;
        {
            let _guard = vm.resv().lock()?;

            drop(bo);
        }
        assert!(soon(|| fixture.fate.gone() == 1));
        assert_eq!(fixture.vram.usage(), 0);
        Ok(())
    }

    #[test]
    fn reservation_outlives_its_vm() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = bo_with(&fixture, &vm, 1)?;

        drop(vm);
        validate(&bo, &[VRAM])?;
        let (_, pending) = make_busy(bo.resv())?;
        drop(bo);
        pending.signal(Ok(()));
        assert!(soon(|| fixture.fate.gone() == 1));
        Ok(())
    }

    #[test]
    fn has_to_be_the_one_that_is_locked() -> Result {
        let fixture = Fixture::new()?;
        let (one, other) = (vm(&fixture)?, vm(&fixture)?);
        let guard = other.resv().lock()?;
        let result = Bo::new(
            &fixture.drm,
            BoInit {
                size: PAGE_SIZE,
                alignment_pages: 0,
                resv: Some((one.resv_object(), &guard)),
            },
            Ok::<_, Error>(fixture.data()),
        );

        assert!(matches!(result, Err(EINVAL)));
        Ok(())
    }

    #[test]
    fn fence_of_one_makes_all_busy() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let bo = bo_with(&fixture, &vm, 2)?;

        validate(&bo, &[VRAM])?;
        let (_, pending) = make_busy(vm.resv())?;
        assert!(!bo.resv().test_signaled(Usage::Bookkeep));
        drop(bo);
        settle();
        assert_eq!(fixture.vram.usage(), 2 * PAGE);

        // The fences went along when it left: its memory waits for this one, and no later one.
        let (_, later) = make_busy(vm.resv())?;
        pending.signal(Ok(()));
        assert!(soon(|| fixture.fate.gone() == 1));
        assert_eq!(fixture.vram.usage(), 0);
        later.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn they_do_not_evict_each_other() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let first = bo_with(&fixture, &vm, VRAM_PAGES)?;
        let second = bo_with(&fixture, &vm, VRAM_PAGES)?;

        validate(&first, &[VRAM])?;
        assert_eq!(validate(&second, &[VRAM]), Err(ENOSPC));
        assert_eq!(mem_type(&first)?, Some(MemType::VRAM));

        // But a BO with another reservation does.
        let _stranger = fixture.bo_in(VRAM, 1)?;
        assert_eq!(mem_type(&first)?, Some(MemType::TT));
        Ok(())
    }

    #[test]
    fn they_make_room_when_that_is_asked_for() -> Result {
        let fixture = Fixture::new()?;
        let vm = vm(&fixture)?;
        let first = bo_with(&fixture, &vm, VRAM_PAGES)?;
        let second = bo_with(&fixture, &vm, VRAM_PAGES)?;

        validate(&first, &[VRAM])?;
        fixture.fill(Some(&first), 1)?;
        {
            let mut guard = second.reserve(false)?;
            let mut bo = guard.reserved();
            let mut ctx = OperationCtx::new(false);

            bo.validate_evicting(&Placement::new(&[VRAM]), &mut ctx, vm.resv())?;
            // Only for that call.
            bo.validate(&Placement::new(&[TT]), &mut ctx)?;
        }
        assert_eq!(mem_type(&first)?, Some(MemType::TT));
        validate(&first, &[VRAM])?;
        assert!(fixture.holds(&first, 1)?);
        assert_eq!(validate(&second, &[VRAM]), Err(ENOSPC));
        Ok(())
    }

    #[test]
    fn they_make_room_for_others_of_the_same_group() -> Result {
        let fixture = Fixture::new()?;
        let (vm, held) = (vm(&fixture)?, Placement::new(&[VRAM]));
        let own = bo_with(&fixture, &vm, VRAM_PAGES)?;
        let external = fixture.bo(VRAM_PAGES)?;
        let flags = ExecFlags {
            interruptible: false,
            ignore_duplicates: false,
        };

        validate(&own, &[VRAM])?;
        KBox::pin_init(Exec::new(flags, 2), GFP_KERNEL)?
            .as_mut()
            .until_all_locked(|locks| {
                locks.lock(own.as_gem())?;
                locks.lock(external.as_gem())?;
                let mut bo = Reserved::of_exec(locks, &external)?;
                let mut ctx = OperationCtx::new(false);

                assert_eq!(bo.validate(&held, &mut ctx), Err(ENOSPC));
                bo.validate_evicting(&held, &mut ctx, own.resv())
            })?;
        assert_eq!(mem_type(&own)?, Some(MemType::TT));

        // One that is not held, or not with the BO's own.
        let stranger = fixture.bo(1)?;
        let mut guard = external.reserve(false)?;
        let result = guard.reserved().validate_evicting(
            &held,
            &mut OperationCtx::new(false),
            stranger.resv(),
        );
        assert_eq!(result, Err(EINVAL));
        Ok(())
    }
}
