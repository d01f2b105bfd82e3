// SPDX-License-Identifier: GPL-2.0

//! Bringing a TTM device up and down.

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

use super::super::gpuvm::vm;
use super::fake::{
    make_busy,
    mem_type,
    signal_later,
    validate,
    Fixture,
    GTT_PAGES,
    PAGE,
    SYSTEM,
    TT,
    VRAM,
    VRAM_PAGES, //
};
use crate::{
    resource_mgr::{
        Gtt,
        Vram, //
    },
    rust::{
        dma_resv::Usage,
        drm::{
            gem::ResvObject,
            ttm::{
                AllocFlags,
                Attach,
                Device,
                DmaMappings,
                MemType, //
            }, //
        }, //
    },
    tests::wait::soon, //
};

/// Brings the device up with one manager.
fn init_with(fixture: &Fixture, mem_type: MemType, manager: Attach) -> Result {
    Device::init(&fixture.drm, AllocFlags::NONE, [(mem_type, PAGE, manager)])
}

#[kunit_tests(rgt_ttm)]
mod tests {
    use super::*;

    #[test]
    fn goes_up_once() -> Result {
        let fixture = Fixture::new()?;

        assert_eq!(fixture.init(AllocFlags::NONE), Err(EBUSY));
        // And works as before.
        drop(fixture.bo_in(VRAM, 1)?);
        Ok(())
    }

    #[test]
    fn does_nothing_before() -> Result {
        let fixture = Fixture::uninitialised(GTT_PAGES)?;

        assert!(matches!(fixture.bo(1), Err(ENODEV)));
        assert_eq!(fixture.vram.usage(), 0);
        assert_eq!(Device::of(&*fixture.drm).system_usage(), 0);
        drop(DmaMappings::new(&fixture.drm));
        Ok(())
    }

    #[test]
    fn system_type_is_not_the_drivers() -> Result {
        let fixture = Fixture::uninitialised(GTT_PAGES)?;

        assert_eq!(
            init_with(&fixture, MemType::SYSTEM, fixture.gtt.clone().into()),
            Err(EINVAL)
        );
        Ok(())
    }

    #[test]
    fn type_has_one_manager() -> Result {
        let fixture = Fixture::uninitialised(GTT_PAGES)?;
        let managers: [(MemType, u64, Attach); 2] = [
            (MemType::TT, PAGE, fixture.vram.clone().into()),
            (MemType::TT, PAGE, fixture.gtt.clone().into()),
        ];

        assert_eq!(
            Device::init(&fixture.drm, AllocFlags::NONE, managers),
            Err(EINVAL)
        );
        // Nothing is left of the attempt.
        fixture.init(AllocFlags::NONE)?;
        drop(fixture.bo_in(VRAM, 1)?);
        Ok(())
    }

    #[test]
    fn manager_has_one_device() -> Result {
        let fixture = Fixture::new()?;
        let other = Fixture::uninitialised(GTT_PAGES)?;

        assert_eq!(
            init_with(&other, MemType::VRAM, fixture.vram.clone().into()),
            Err(EBUSY)
        );
        drop(fixture.bo_in(VRAM, 1)?);
        Ok(())
    }

    #[test]
    fn managers_count() -> Result {
        let fixture = Fixture::new()?;
        let ttm = Device::of(&*fixture.drm);
        let bo = fixture.bo_in(VRAM, 3)?;

        assert_eq!(fixture.vram.usage(), 3 * PAGE);
        assert_eq!(fixture.gtt.usage(), 0);
        validate(&bo, &[TT])?;
        assert_eq!(fixture.vram.usage(), 0);
        assert_eq!(fixture.gtt.usage(), 3 * PAGE);
        assert_eq!(ttm.system_usage(), 0);
        validate(&bo, &[SYSTEM])?;
        assert_eq!(fixture.gtt.usage(), 0);
        assert_eq!(ttm.system_usage(), 3 * PAGE);
        drop(bo);
        assert_eq!(ttm.system_usage(), 0);
        Ok(())
    }

    #[test]
    fn manager_outlives_the_device() -> Result {
        let fixture = Fixture::new()?;
        let vram = fixture.vram.clone();
        drop(fixture.bo_in(VRAM, 3)?);
        drop(fixture);

        assert_eq!(vram.usage(), 0);
        assert_eq!(vram.inner().size(), VRAM_PAGES as u64 * PAGE);
        Ok(())
    }

    #[test]
    fn resource_is_of_its_manager_only() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 2)?;

        {
            let guard = bo.reserve(false)?;
            let res = guard.resource().ok_or(EINVAL)?;

            assert!(res.of_manager::<Vram>().is_some());
            assert!(res.of_manager::<Gtt>().is_none());
            assert_eq!(res.size(), bo.size());
            assert!(res.flags() == VRAM.flags());
        }
        validate(&bo, &[TT])?;
        {
            let guard = bo.reserve(false)?;
            let res = guard.resource().ok_or(EINVAL)?;

            assert!(res.of_manager::<Gtt>().is_some());
            assert!(res.of_manager::<Vram>().is_none());
        }
        // The manager of this type is TTM's own.
        validate(&bo, &[SYSTEM])?;
        {
            let guard = bo.reserve(false)?;
            let res = guard.resource().ok_or(EINVAL)?;

            assert!(res.of_manager::<Gtt>().is_none());
            assert!(res.of_manager::<Vram>().is_none());
        }
        Ok(())
    }

    #[test]
    fn takes_mappings_away() -> Result {
        let fixture = Fixture::new()?;
        let mappings = DmaMappings::new(&fixture.drm);
        let (mapped, system) = (fixture.bo_in(TT, 2)?, fixture.bo_in(SYSTEM, 2)?);
        let in_vram = fixture.bo_in(VRAM, 2)?;

        assert!(mapped.reserve(false)?.tt().is_some_and(|tt| {
            tt.dma_addresses()
                .is_some_and(|pages| pages.len() == 2 && pages[0] != pages[1])
        }));
        drop(mappings);
        for bo in [&mapped, &system] {
            let guard = bo.reserve(false)?;

            assert!(guard.tt().is_none_or(|tt| tt.dma_addresses().is_none()));
        }
        assert_eq!(mem_type(&mapped)?, None);
        assert_eq!(mem_type(&in_vram)?, Some(MemType::VRAM));
        assert_eq!(fixture.gtt.usage(), 0);
        // The objects are still there, and go away as usual.
        assert_eq!(fixture.fate.gone(), 0);
        drop((mapped, system, in_vram));
        assert_eq!(fixture.fate.gone(), 3);
        Ok(())
    }

    #[test]
    fn waits_for_the_busy_when_it_goes() -> Result {
        let fixture = Fixture::new()?;
        let fate = fixture.fate.clone();
        let mut pending = KVec::new();

        for place in [VRAM, TT, SYSTEM, VRAM] {
            let bo = fixture.bo_in(place, 2)?;

            pending.push(make_busy(bo.resv())?.1, GFP_KERNEL)?;
        }
        assert_eq!(fate.gone(), 0);
        for fence in pending {
            signal_later(fence)?;
        }
        drop(fixture);
        assert_eq!(fate.gone(), 4);
        assert_eq!(fate.notified(), 4);
        Ok(())
    }

    #[test]
    fn mappings_go_when_the_busy_are_idle() -> Result {
        let fixture = Fixture::new()?;
        let mappings = DmaMappings::new(&fixture.drm);
        let bo = fixture.bo_in(TT, 2)?;
        let (_, pending) = make_busy(bo.resv())?;

        drop(bo);
        assert_eq!(fixture.fate.gone(), 0);
        signal_later(pending)?;
        drop(mappings);
        // Its pages are gone; the object itself may still be on its way.
        assert_eq!(Device::of(&*fixture.drm).populated_pages(), 0);
        assert_eq!(fixture.gtt.usage(), 0);
        assert!(soon(|| fixture.fate.gone() == 1));
        Ok(())
    }

    #[test]
    fn stays_as_long_as_a_bo() -> Result {
        let fixture = Fixture::new()?;
        let fate = fixture.fate.clone();
        let bo = fixture.bo(1)?;

        drop(fixture);
        assert!(!fate.released());
        drop(bo);
        assert_eq!(fate.gone(), 1);
        assert!(fate.released());
        Ok(())
    }

    #[test]
    fn stays_as_long_as_a_reservation() -> Result {
        let fixture = Fixture::new()?;
        let fate = fixture.fate.clone();
        let vm = vm(&fixture)?;
        let resv: ARef<ResvObject> = vm.resv_object().into();

        drop((vm, fixture));
        assert!(!fate.released());
        assert!(resv.resv().test_signaled(Usage::Bookkeep));
        drop(resv);
        assert!(fate.released());
        Ok(())
    }
}
