// SPDX-License-Identifier: GPL-2.0

//! Buffer objects that are pinned, and mapped into the kernel's address space.

use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

use super::{
    fake::{
        mem_type,
        signal_later,
        validate,
        Bo,
        Fixture,
        TtmBo,
        GTT_PAGES,
        SYSTEM,
        TT,
        VRAM, //
    },
    share::register, //
};
use crate::{
    rust::{
        dma_resv::Usage,
        drm::ttm::{
            MemType,
            OperationCtx,
            Pinned,
            Vmap, //
        }, //
    },
    tests::rust::{
        dma_fence::fence,
        dma_resv as resv, //
    }, //
};

const PAGES: usize = 3;
const SIZE: usize = PAGES * PAGE_SIZE;

fn pin(bo: &Bo) -> Result<Pinned<TtmBo>> {
    bo.reserve(false)?.reserved().pin(false)
}

fn vmap(bo: &Bo) -> Result<Vmap<TtmBo>> {
    bo.reserve(false)?.reserved().vmap(false)
}

fn pins(bo: &Bo) -> Result<u32> {
    Ok(bo.reserve(false)?.pin_count())
}

#[kunit_tests(rgt_bo_pinned)]
mod tests {
    use super::*;

    #[test]
    fn stays_where_it_is() -> Result {
        let fixture = Fixture::new()?;

        for (place, elsewhere) in [(TT, VRAM), (VRAM, TT)] {
            let bo = fixture.bo_in(place, PAGES)?;
            let pinned = pin(&bo)?;

            assert_eq!(pinned.resource().mem_type(), place.mem_type());
            assert_eq!(validate(&bo, &[elsewhere]), Err(EINVAL));
            assert_eq!(validate(&bo, &[]), Err(EINVAL));
            let purged = bo
                .reserve(false)?
                .reserved()
                .purge(&mut OperationCtx::no_wait());
            assert_eq!(purged, Err(EBUSY));
            validate(&bo, &[place])?;
            assert_eq!(mem_type(&bo)?, Some(place.mem_type()));

            drop(pinned);
            validate(&bo, &[elsewhere])?;
            validate(&bo, &[])?;
        }
        Ok(())
    }

    #[test]
    fn others_do_not_evict_it() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(TT, PAGES)?;
        let pinned = pin(&bo)?;

        assert!(matches!(fixture.bo_in(TT, GTT_PAGES), Err(ENOSPC)));
        assert_eq!(mem_type(&bo)?, Some(MemType::TT));
        drop(pinned);
        let _all = fixture.bo_in(TT, GTT_PAGES)?;
        assert_eq!(mem_type(&bo)?, Some(MemType::SYSTEM));
        Ok(())
    }

    #[test]
    fn pins_nest() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(TT, PAGES)?;
        let (one, mapped) = (pin(&bo)?, vmap(&bo)?);

        assert_eq!(pins(&bo)?, 2);
        drop(one);
        assert_eq!(validate(&bo, &[VRAM]), Err(EINVAL));
        drop(mapped);
        assert_eq!(pins(&bo)?, 0);
        validate(&bo, &[VRAM])
    }

    #[test]
    fn there_must_be_something_to_pin() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo(PAGES)?;

        assert!(matches!(pin(&bo), Err(EINVAL)));
        assert!(matches!(vmap(&bo), Err(EINVAL)));
        assert_eq!(pins(&bo)?, 0);
        Ok(())
    }

    #[test]
    fn memory_of_another_device_is_not_pinned() -> Result {
        let (drm, backing) = Fixture::new()?.split();
        let (other_drm, other) = Fixture::new()?.split();
        let registration = register(drm, &backing)?;
        let other_registration = register(other_drm, &other)?;
        let bo = backing.bo_in(registration.device(), TT, PAGES)?;
        let buf = bo.export_dma_buf()?;
        let data = Ok::<_, Error>(other.data());
        let import = Bo::import(other_registration.device(), &buf, data)?;

        validate(&import, &[TT])?;
        assert!(matches!(pin(&import), Err(EINVAL)));
        assert!(matches!(vmap(&import), Err(EINVAL)));
        Ok(())
    }

    #[test]
    fn a_move_is_waited_for() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(TT, PAGES)?;
        let (moved, pending) = fence()?;

        resv::add(&*bo.resv().lock()?, &moved, Usage::Kernel)?;
        signal_later(pending)?;
        let _pinned = pin(&bo)?;
        assert!(moved.is_signaled());
        Ok(())
    }

    #[test]
    fn keeps_the_bo() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(TT, PAGES)?;
        let mapped = vmap(&bo)?;

        drop(bo);
        mapped.write(0, &1_u32)?;
        assert_eq!(fixture.fate.gone(), 0);
        drop(mapped);
        assert_eq!(fixture.fate.gone(), 1);
        Ok(())
    }

    #[test]
    fn mapping_has_the_content() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, PAGES)?;

        fixture.fill(Some(&bo), 0x1234)?;
        validate(&bo, &[TT])?;
        {
            let mapped = vmap(&bo)?;
            for offset in (0..SIZE).step_by(8) {
                assert_eq!(mapped.read::<u64>(offset)?, 0x1234);
                mapped.write(offset, &0x5678_u64)?;
            }
            for offset in [SIZE - 7, SIZE, usize::MAX - 3] {
                assert!(matches!(mapped.read::<u64>(offset), Err(EINVAL)));
                assert!(matches!(mapped.write(offset, &0_u64), Err(EINVAL)));
            }
        }
        validate(&bo, &[VRAM])?;
        assert!(fixture.holds(&bo, 0x5678)?);
        Ok(())
    }

    #[test]
    fn pages_are_made_for_a_mapping() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(SYSTEM, PAGES)?;
        let mapped = vmap(&bo)?;

        assert_eq!(mapped.read::<u64>(SIZE - 8)?, 0);
        Ok(())
    }

    #[test]
    fn device_memory_is_not_mapped() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, PAGES)?;

        assert!(matches!(vmap(&bo), Err(EINVAL)));
        assert_eq!(pins(&bo)?, 0);
        Ok(())
    }
}
