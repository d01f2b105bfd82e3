// SPDX-License-Identifier: GPL-2.0

//! Taking the pages of buffer objects away: walks, counts, content lost and content backed up.

use core::ptr;

use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

use super::fake::{
    make_busy,
    mem_type,
    validate,
    Bo,
    Fixture,
    TtmDriver,
    PAGE,
    SYSTEM,
    TT,
    VRAM, //
};
use crate::rust::drm::ttm::{
    backup,
    AllocFlags,
    Device,
    MemType,
    OperationCtx, //
};

const PATTERN: u64 = 0x0123_4567_89ab_cdef;
const JUNK: u64 = !0;

/// The TTM device.
fn device(fixture: &Fixture) -> &Device<TtmDriver> {
    Device::of(&fixture.drm)
}

/// The BOs that a walk finds.
fn walk(fixture: &Fixture, mem_type: MemType) -> Result<KVec<*const Bo>> {
    let mut found = KVec::new();

    pin_init::stack_pin_init!(let walk = device(fixture).walk_lru(mem_type, OperationCtx::no_wait())?);
    while let Some(at) = walk.as_mut().next() {
        found.push(ptr::from_ref(at.bo.bo()), GFP_KERNEL)?;
    }
    Ok(found)
}

fn back_up(bo: &Bo) -> Result<usize> {
    bo.reserve(false)?
        .reserved()
        .back_up(&mut OperationCtx::no_wait(), false)
}

fn purge(bo: &Bo) -> Result {
    bo.reserve(false)?
        .reserved()
        .purge(&mut OperationCtx::no_wait())
}

#[kunit_tests(rgt_bo_shrink)]
mod tests {
    use super::*;

    #[test]
    fn walk_finds_the_least_recently_used_first() -> Result {
        let fixture = Fixture::new()?;
        let bos = [
            fixture.bo_in(TT, 1)?,
            fixture.bo_in(TT, 1)?,
            fixture.bo_in(TT, 1)?,
        ];
        let _other = fixture.bo_in(SYSTEM, 1)?;
        let at = |index: usize| ptr::from_ref::<Bo>(&bos[index]);

        assert_eq!(&*walk(&fixture, MemType::TT)?, &[at(0), at(1), at(2)]);
        bos[0].reserve(false)?.touch();
        assert_eq!(&*walk(&fixture, MemType::TT)?, &[at(1), at(2), at(0)]);
        assert!(walk(&fixture, MemType::VRAM)?.is_empty());
        assert_eq!(walk(&fixture, MemType::PRIV).map(drop), Err(EINVAL));
        Ok(())
    }

    #[test]
    fn walk_passes_over_what_it_cannot_have() -> Result {
        let fixture = Fixture::new()?;
        let (reserved, free) = (fixture.bo_in(TT, 1)?, fixture.bo_in(TT, 1)?);
        let dying = fixture.bo_in(TT, 1)?;
        let (_, pending) = make_busy(dying.resv())?;
        drop(dying);

        let guard = reserved.reserve(false)?;
        assert_eq!(
            &*walk(&fixture, MemType::TT)?,
            &[ptr::from_ref::<Bo>(&free)]
        );
        drop(guard);
        assert_eq!(walk(&fixture, MemType::TT)?.len(), 2);
        pending.signal(Ok(()));
        Ok(())
    }

    #[test]
    fn walk_outlives_the_last_reference() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(TT, 1)?;

        pin_init::stack_pin_init!(let walk = device(&fixture).walk_lru(MemType::TT, OperationCtx::no_wait())?);
        let found = walk.as_mut().next().ok_or(ENOENT)?;
        drop(bo);
        assert_eq!(found.bo.size() as u64, PAGE);
        assert_eq!(fixture.fate.gone(), 0);
        assert!(walk.as_mut().next().is_none());
        assert_eq!(fixture.fate.gone(), 1);
        assert!(walk.as_mut().next().is_none());
        Ok(())
    }

    #[test]
    fn walk_takes_backing_away() -> Result {
        let fixture = Fixture::new()?;
        let bos = [fixture.bo_in(TT, 2)?, fixture.bo_in(TT, 2)?];

        {
            pin_init::stack_pin_init!(let walk = device(&fixture).walk_lru(MemType::TT, OperationCtx::no_wait())?);
            while let Some(mut at) = walk.as_mut().next() {
                at.bo.purge(at.ctx)?;
            }
        }
        assert_eq!(fixture.gtt.usage(), 0);
        assert_eq!(mem_type(&bos[0])?, None);
        Ok(())
    }

    #[test]
    fn pages_are_counted() -> Result {
        let fixture = Fixture::new()?;
        let dev = device(&fixture);
        let count = || (dev.populated_pages(), dev.purgeable_pages());
        let advise = |bo: &Bo, purgeable| -> Result {
            bo.reserve(false)?.reserved().set_purgeable(purgeable);
            Ok(())
        };

        let (bo, other) = (fixture.bo_in(TT, 3)?, fixture.bo_in(VRAM, 4)?);
        assert_eq!(count(), (3, 0));
        // A BO in VRAM has none, and one in system memory not before they are needed.
        validate(&other, &[SYSTEM])?;
        assert_eq!(count(), (7, 0));
        advise(&bo, true)?;
        advise(&bo, true)?;
        assert_eq!(count(), (7, 3));
        advise(&bo, false)?;
        assert_eq!(count(), (7, 0));
        advise(&bo, true)?;
        advise(&other, true)?;
        purge(&bo)?;
        assert_eq!(count(), (4, 4));
        validate(&other, &[VRAM])?;
        assert_eq!(count(), (0, 0));
        drop((bo, other));
        assert_eq!(count(), (0, 0));
        Ok(())
    }

    #[test]
    fn purged_one_reads_as_zeros() -> Result {
        let fixture = Fixture::new()?;

        for place in [VRAM, TT, SYSTEM] {
            let bo = fixture.bo_in(VRAM, 4)?;
            fixture.fill(Some(&bo), JUNK)?;
            validate(&bo, &[place])?;
            purge(&bo)?;
            assert_eq!(mem_type(&bo)?, None);
            validate(&bo, &[VRAM])?;
            assert!(fixture.holds(&bo, 0)?);
        }
        Ok(())
    }

    #[test]
    fn discarded_one_reads_as_zeros() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 4)?;

        fixture.fill(Some(&bo), JUNK)?;
        fixture.take_moves();
        bo.worthless.store(true, Relaxed);
        validate(&bo, &[SYSTEM])?;
        // Without a hop, and without pages.
        let (vram, system) = (MemType::VRAM, MemType::SYSTEM);
        assert_eq!(&*fixture.take_moves(), &[(Some(vram), system, false)]);
        assert_eq!(device(&fixture).populated_pages(), 0);
        assert_eq!(fixture.vram.usage(), 0);
        validate(&bo, &[VRAM])?;
        assert!(fixture.holds(&bo, 0)?);
        Ok(())
    }

    #[test]
    fn busy_one_keeps_its_pages() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(TT, 4)?;
        let (_, pending) = make_busy(bo.resv())?;

        assert!(!bo
            .reserve(false)?
            .is_shrinkable(&mut OperationCtx::no_wait()));
        assert_eq!(back_up(&bo), Err(EBUSY));
        assert_eq!(purge(&bo), Err(EBUSY));
        assert_eq!(mem_type(&bo)?, Some(MemType::TT));
        assert_eq!(device(&fixture).populated_pages(), 4);

        pending.signal(Ok(()));
        assert!(bo
            .reserve(false)?
            .is_shrinkable(&mut OperationCtx::no_wait()));
        Ok(())
    }

    #[test]
    fn nothing_to_take() -> Result {
        let fixture = Fixture::new()?;

        for bo in [fixture.bo(4)?, fixture.bo_in(VRAM, 4)?] {
            assert!(!bo
                .reserve(false)?
                .is_shrinkable(&mut OperationCtx::no_wait()));
            assert_eq!(back_up(&bo), Err(EBUSY));
            assert!(!bo.reserve(false)?.is_backed_up());
        }
        Ok(())
    }

    /// Without swap it stays as it is.
    #[test]
    fn content_is_backed_up() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 7)?;

        for place in [TT, SYSTEM] {
            fixture.fill(Some(&bo), PATTERN)?;
            validate(&bo, &[place])?;
            fixture.fill(None, JUNK)?;
            if backup::room() == 0 {
                assert_eq!(back_up(&bo), Err(EBUSY));
                assert_eq!(device(&fixture).populated_pages(), 7);
                assert_eq!(mem_type(&bo)?, Some(place.mem_type()));
            } else {
                assert_eq!(back_up(&bo), Ok(7));
                assert!(bo.reserve(false)?.is_backed_up());
                assert_eq!(device(&fixture).populated_pages(), 0);
                assert_eq!(mem_type(&bo)?, Some(MemType::SYSTEM));
                // It is out of reach.
                assert!(walk(&fixture, MemType::SYSTEM)?.is_empty());
                assert_eq!(back_up(&bo), Err(EBUSY));
            }
            validate(&bo, &[VRAM])?;
            assert!(!bo.reserve(false)?.is_backed_up());
            assert!(fixture.holds(&bo, PATTERN)?);
        }
        Ok(())
    }

    #[test]
    fn backup_is_lost_with_the_content() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 7)?;

        fixture.fill(Some(&bo), PATTERN)?;
        validate(&bo, &[SYSTEM])?;
        assert_eq!(back_up(&bo).is_ok(), backup::room() != 0);
        purge(&bo)?;
        assert!(!bo.reserve(false)?.is_backed_up());
        validate(&bo, &[VRAM])?;
        assert!(fixture.holds(&bo, 0)?);

        // And with the object, or the device.
        validate(&bo, &[SYSTEM])?;
        assert_eq!(back_up(&bo).is_ok(), backup::room() != 0);
        drop(bo);
        assert_eq!(device(&fixture).populated_pages(), 0);
        Ok(())
    }

    #[test]
    fn coherent_memory_is_not_backed_up() -> Result {
        let flags = AllocFlags::PROPAGATE_ENOSPC | AllocFlags::USE_DMA_ALLOC;
        let fixture = Fixture::with(16, flags)?;
        let bo = fixture.bo_in(VRAM, 4)?;

        assert!(device(&fixture).uses_dma_alloc());
        fixture.fill(Some(&bo), PATTERN)?;
        validate(&bo, &[TT])?;
        fixture.fill(None, JUNK)?;
        assert_eq!(back_up(&bo), Err(EBUSY));
        assert_eq!(device(&fixture).populated_pages(), 4);
        validate(&bo, &[VRAM])?;
        assert!(fixture.holds(&bo, PATTERN)?);
        Ok(())
    }
}
