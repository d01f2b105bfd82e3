// SPDX-License-Identifier: GPL-2.0

//! Buffer objects: made, reserved, gone.

use core::ptr;

use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef, //
};

use super::fake::{
    make_busy,
    mem_type,
    validate,
    vram_offset,
    Bo,
    Fixture,
    GTT_PAGES,
    PAGE,
    SYSTEM,
    TT,
    VRAM,
    VRAM_PAGES, //
};
use crate::rust::{
    dma_resv::Usage,
    drm::ttm::{
        BoInit,
        Device,
        MemType,
        OperationCtx,
        Place,
        PlaceFlags,
        Placement, //
    }, //
};

#[kunit_tests(rgt_bo)]
mod tests {
    use super::*;

    #[test]
    fn is_made_without_backing() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo(3)?;

        assert_eq!(bo.size(), 3 * PAGE_SIZE);
        assert!(ptr::eq(bo.device(), &*fixture.drm));
        {
            let guard = bo.reserve(true)?;

            assert!(guard.resource().is_none());
            assert!(guard.tt().is_none_or(|tt| tt.dma_addresses().is_none()));
            guard.touch();
        }
        assert_eq!(fixture.vram.usage() + fixture.gtt.usage(), 0);
        drop(bo);
        assert_eq!(fixture.fate.gone(), 1);
        Ok(())
    }

    #[test]
    fn is_whole_pages_and_aligned_to_a_power_of_two() -> Result {
        let fixture = Fixture::new()?;
        let bo = |size, alignment_pages| {
            let init = BoInit {
                size,
                alignment_pages,
                resv: None,
            };
            Bo::new(&fixture.drm, init, Ok::<_, Error>(fixture.data()))
        };

        for (size, alignment) in [
            (0, 0),
            (1, 0),
            (PAGE_SIZE + 1, 0),
            (usize::MAX, 0),
            (PAGE_SIZE, 3),
        ] {
            assert!(matches!(bo(size, alignment), Err(EINVAL)));
        }
        drop(bo(PAGE_SIZE, 2)?);
        Ok(())
    }

    #[test]
    fn gets_pages_where_it_is_validated_to() -> Result {
        let fixture = Fixture::new()?;

        for (place, has_pages) in [(TT, true), (SYSTEM, false), (VRAM, false)] {
            let bo = fixture.bo_in(place, 2)?;
            let guard = bo.reserve(false)?;
            let pages = guard.tt().and_then(|tt| tt.dma_addresses());

            assert_eq!(
                guard.resource().map(|r| r.mem_type()),
                Some(place.mem_type())
            );
            // System pages are allocated when they are needed.
            assert!(!has_pages || pages.is_some_and(|pages| pages.len() == 2));
        }
        Ok(())
    }

    #[test]
    fn populates_on_demand() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(SYSTEM, 2)?;
        let mut guard = bo.reserve(false)?;

        assert!(guard.tt().is_some_and(|tt| tt.dma_addresses().is_none()));
        guard.reserved().populate(&mut OperationCtx::new(false))?;
        assert!(guard.tt().is_some_and(|tt| tt.dma_addresses().is_some()));
        // A second time changes nothing.
        guard.reserved().populate(&mut OperationCtx::new(false))
    }

    #[test]
    fn idle_one_is_gone_at_once() -> Result {
        let fixture = Fixture::new()?;

        for place in [VRAM, TT, SYSTEM] {
            drop(fixture.bo_in(place, 4)?);
        }
        assert_eq!(fixture.vram.usage() + fixture.gtt.usage(), 0);
        assert_eq!(fixture.vram.inner().cpu_visible_used(), 0);
        assert_eq!(fixture.fate.notified(), 3);
        assert_eq!(fixture.fate.gone(), 3);
        Ok(())
    }

    #[test]
    fn lives_as_long_as_a_reference() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 1)?;
        let other = bo.clone();

        drop(bo);
        assert_eq!(fixture.fate.gone(), 0);
        assert_eq!(mem_type(&other)?, Some(MemType::VRAM));

        let again = Bo::from_gem(ARef::from(other.as_gem()));
        assert!(ptr::eq(&*again, &*other));
        drop(other);
        assert_eq!(fixture.fate.gone(), 0);
        drop(again);
        assert_eq!(fixture.fate.gone(), 1);
        Ok(())
    }

    #[test]
    fn failing_data_leaves_nothing() -> Result {
        let fixture = Fixture::new()?;
        let result = Bo::new(
            &fixture.drm,
            BoInit {
                size: PAGE_SIZE,
                alignment_pages: 0,
                resv: None,
            },
            Err(EXDEV),
        );

        assert!(matches!(result, Err(EXDEV)));
        assert_eq!(fixture.fate.gone(), 0);
        Ok(())
    }

    #[test]
    fn is_made_in_its_place() -> Result {
        let fixture = Fixture::new()?;
        let new = |pages, alignment, places: &[Place]| {
            let data = Ok::<_, Error>(fixture.data());
            let mut ctx = OperationCtx::new(false);
            let size = pages * PAGE_SIZE;
            let placement = Placement::new(places);
            Bo::new_in(&fixture.drm, size, alignment, &placement, &mut ctx, data)
        };
        let _odd = new(1, 0, &[VRAM.within(0, 1)])?;

        let bo = new(2, 4, &[VRAM.within(0, 8)])?;
        assert_eq!(vram_offset(&bo)?, Some(4 * PAGE));
        // It is not reserved any more.
        assert!(bo.try_reserve().is_some());

        // One that does not fit is not there.
        assert!(matches!(
            new(VRAM_PAGES, 0, &[VRAM.within(0, 8)]),
            Err(ENOSPC)
        ));
        assert_eq!(fixture.fate.gone(), 1);
        assert!(matches!(new(0, 0, &[VRAM]), Err(EINVAL)));
        assert!(matches!(new(1, 3, &[VRAM]), Err(EINVAL)));
        let mut count = 0;
        Device::of(&*fixture.drm).for_each_bo(|_| {
            count += 1;
            Ok(())
        })?;
        assert_eq!(count, 2);
        Ok(())
    }

    #[test]
    fn alignment_reaches_the_manager() -> Result {
        let fixture = Fixture::new()?;
        let _odd = fixture.bo_in(VRAM.within(0, 1), 1)?;
        let bo = Bo::new(
            &fixture.drm,
            BoInit {
                size: PAGE_SIZE,
                alignment_pages: 4,
                resv: None,
            },
            Ok::<_, Error>(fixture.data()),
        )?;

        validate(&bo, &[VRAM.within(0, 8)])?;
        assert_eq!(vram_offset(&bo)?, Some(4 * PAGE));
        Ok(())
    }

    #[test]
    fn reservation_excludes() -> Result {
        let fixture = Fixture::new()?;
        let (bo, other) = (fixture.bo(1)?, fixture.bo(1)?);

        {
            let _guard = bo.reserve(false)?;

            assert!(bo.resv().try_lock().is_none());
            assert!(other.resv().try_lock().is_some());
        }
        assert!(bo.resv().try_lock().is_some());
        Ok(())
    }

    #[test]
    fn reservation_takes_fences() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo(1)?;
        let (fence, pending) = make_busy(bo.resv())?;

        {
            let mut guard = bo.reserve(false)?;
            let mut reserved = guard.reserved();
            let mut seen = 0;

            reserved
                .locked_resv()
                .for_each_fence(Usage::Bookkeep, |other| {
                    assert_eq!(other.context(), fence.context());
                    seen += 1;
                    Ok(())
                })?;
            assert_eq!(seen, 1);
        }
        assert!(!bo.resv().test_signaled(Usage::Bookkeep));
        pending.signal(Ok(()));
        assert!(bo.resv().test_signaled(Usage::Bookkeep));
        bo.reserve(false)?
            .wait_idle(&mut OperationCtx::new(false))?;
        Ok(())
    }

    #[test]
    fn too_large_is_no_space() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo(GTT_PAGES + 1)?;

        assert_eq!(validate(&bo, &[VRAM]), Err(ENOSPC));
        assert_eq!(validate(&bo, &[TT]), Err(ENOSPC));
        assert_eq!(validate(&bo, &[VRAM, TT]), Err(ENOSPC));
        assert_eq!(mem_type(&bo)?, None);
        assert_eq!(fixture.vram.usage() + fixture.gtt.usage(), 0);
        // There is no limit to these.
        validate(&bo, &[VRAM, TT, SYSTEM])?;
        assert_eq!(mem_type(&bo)?, Some(MemType::SYSTEM));
        Ok(())
    }

    #[test]
    fn unknown_type_is_no_space() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo(1)?;
        let place = Place::new(MemType::PRIV, PlaceFlags::NONE);

        assert_eq!(validate(&bo, &[place]), Err(ENOSPC));
        Ok(())
    }
}
