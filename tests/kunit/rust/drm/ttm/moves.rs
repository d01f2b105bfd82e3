// SPDX-License-Identifier: GPL-2.0

//! Moves, and what they do to the content.

use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

use super::fake::{
    make_busy,
    mem_type,
    signal_later,
    validate,
    vram_offset,
    Bo,
    Fixture,
    LOWER,
    PAGE,
    SYSTEM,
    TT,
    UPPER,
    VRAM, //
};
use crate::{
    rust::{
        dma_resv::Usage,
        drm::ttm::{
            MemType,
            OperationCtx,
            Place,
            PlaceFlags,
            Placement, //
        }, //
    },
    tests::rust::dma_fence::fence, //
};

const PATTERN: u64 = 0x0123_4567_89ab_cdef;
const JUNK: u64 = !0;

#[kunit_tests(rgt_bo_move)]
mod tests {
    use super::*;

    #[test]
    fn first_vram_is_zeroed() -> Result {
        let fixture = Fixture::new()?;

        fixture.fill(None, JUNK)?;
        let bo = fixture.bo_in(VRAM, 4)?;
        assert!(fixture.holds(&bo, 0)?);
        Ok(())
    }

    #[test]
    fn first_place_may_be_behind_a_fence() -> Result {
        let fixture = Fixture::new()?;
        let (ready, pending) = fence()?;
        let data = fixture.data().behind(ready);
        let placement = Placement::new(&[SYSTEM]);
        let mut ctx = OperationCtx::new(false);
        let data = Ok::<_, Error>(data);
        let bo = Bo::new_in(&fixture.drm, PAGE as usize, 0, &placement, &mut ctx, data)?;

        assert_eq!(mem_type(&bo)?, Some(MemType::SYSTEM));
        assert!(!bo.resv().test_signaled(Usage::Kernel));
        pending.signal(Ok(()));
        assert!(bo.resv().test_signaled(Usage::Kernel));
        Ok(())
    }

    #[test]
    fn first_pages_are_zeroed() -> Result {
        let fixture = Fixture::new()?;

        fixture.fill(None, JUNK)?;
        for place in [TT, SYSTEM] {
            // Pages that were used before.
            let old = fixture.bo_in(VRAM, 4)?;
            fixture.fill(Some(&old), JUNK)?;
            validate(&old, &[place])?;
            drop(old);

            let bo = fixture.bo_in(place, 4)?;
            validate(&bo, &[VRAM])?;
            assert!(fixture.holds(&bo, 0)?);
        }
        Ok(())
    }

    #[test]
    fn hops_over_pages_that_the_device_sees() -> Result {
        let fixture = Fixture::new()?;
        let (vram, tt, system) = (MemType::VRAM, MemType::TT, MemType::SYSTEM);
        let bo = fixture.bo_in(VRAM, 2)?;

        assert_eq!(
            &*fixture.take_moves(),
            &[(None, tt, false), (Some(tt), vram, false)]
        );
        validate(&bo, &[SYSTEM])?;
        assert_eq!(
            &*fixture.take_moves(),
            &[(Some(vram), tt, false), (Some(tt), system, false)]
        );
        validate(&bo, &[VRAM])?;
        assert_eq!(
            &*fixture.take_moves(),
            &[(Some(system), tt, false), (Some(tt), vram, false)]
        );
        // Nothing is left at the stop.
        assert_eq!(fixture.gtt.usage(), 0);
        Ok(())
    }

    #[test]
    fn content_survives() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(LOWER, 4)?;

        for place in [TT, SYSTEM] {
            fixture.fill(Some(&bo), PATTERN)?;
            validate(&bo, &[place])?;
            fixture.fill(None, JUNK)?;
            validate(&bo, &[UPPER])?;
            assert!(fixture.holds(&bo, PATTERN)?);
        }
        Ok(())
    }

    #[test]
    fn content_survives_between_kinds_of_pages() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 4)?;

        fixture.fill(Some(&bo), PATTERN)?;
        for place in [TT, SYSTEM, TT, SYSTEM, SYSTEM, TT] {
            validate(&bo, &[place])?;
            assert_eq!(mem_type(&bo)?, Some(place.mem_type()));
        }
        fixture.fill(None, JUNK)?;
        validate(&bo, &[VRAM])?;
        assert!(fixture.holds(&bo, PATTERN)?);
        Ok(())
    }

    #[test]
    fn content_survives_within_vram() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(LOWER, 4)?;
        let vram = MemType::VRAM;

        fixture.fill(Some(&bo), PATTERN)?;
        fixture.take_moves();
        let old = vram_offset(&bo)?;
        validate(&bo, &[UPPER])?;
        assert!(old < vram_offset(&bo)?);
        assert_eq!(&*fixture.take_moves(), &[(Some(vram), vram, false)]);
        assert!(fixture.holds(&bo, PATTERN)?);
        assert_eq!(fixture.vram.usage(), 4 * PAGE);
        Ok(())
    }

    #[test]
    fn stays_where_it_may_be() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(LOWER, 2)?;

        fixture.take_moves();
        for places in [&[LOWER][..], &[VRAM], &[TT, VRAM], &[SYSTEM, LOWER]] {
            validate(&bo, places)?;
            assert_eq!(mem_type(&bo)?, Some(MemType::VRAM));
        }
        assert!(fixture.take_moves().is_empty());
        Ok(())
    }

    #[test]
    fn becomes_contiguous_where_it_has_to_be() -> Result {
        let fixture = Fixture::new()?;
        let pieces = Place::new(MemType::VRAM, PlaceFlags::NONE);
        let bo = fixture.bo_in(pieces, 2)?;

        fixture.fill(Some(&bo), PATTERN)?;
        fixture.take_moves();
        // Also if it is by chance: what was asked for counts.
        validate(&bo, &[VRAM])?;
        let vram = MemType::VRAM;
        assert_eq!(&*fixture.take_moves(), &[(Some(vram), vram, false)]);
        assert!(fixture.holds(&bo, PATTERN)?);
        for place in [pieces, VRAM] {
            validate(&bo, &[place])?;
        }
        assert!(fixture.take_moves().is_empty());
        Ok(())
    }

    #[test]
    fn failure_leaves_it_where_it_was() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 4)?;

        fixture.fill(Some(&bo), PATTERN)?;
        bo.broken.store(true, Relaxed);
        for place in [TT, SYSTEM] {
            assert_eq!(validate(&bo, &[place]), Err(EIO));
            assert_eq!(mem_type(&bo)?, Some(MemType::VRAM));
            assert_eq!(fixture.gtt.usage(), 0);
        }
        assert!(fixture.holds(&bo, PATTERN)?);

        bo.broken.store(false, Relaxed);
        validate(&bo, &[TT])?;
        validate(&bo, &[VRAM])?;
        assert!(fixture.holds(&bo, PATTERN)?);
        Ok(())
    }

    #[test]
    fn content_in_pieces_survives() -> Result {
        let fixture = Fixture::new()?;
        let _middle = fixture.bo_in(VRAM.within(1, 2), 1)?;
        let bo = fixture.bo_in(UPPER, 2)?;
        let pieces = Place::new(MemType::VRAM, PlaceFlags::NONE).within(0, 3);

        fixture.fill(Some(&bo), PATTERN)?;
        for place in [pieces, TT, pieces, UPPER] {
            validate(&bo, &[place])?;
            assert_eq!(mem_type(&bo)?, Some(place.mem_type()));
        }
        assert!(fixture.holds(&bo, PATTERN)?);
        Ok(())
    }

    #[test]
    fn failure_of_the_first_leaves_none() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo(4)?;

        bo.broken.store(true, Relaxed);
        for place in [VRAM, TT, SYSTEM] {
            assert_eq!(validate(&bo, &[place]), Err(EIO));
            assert_eq!(mem_type(&bo)?, None);
        }
        assert_eq!(fixture.vram.usage() + fixture.gtt.usage(), 0);

        bo.broken.store(false, Relaxed);
        validate(&bo, &[VRAM])?;
        assert!(fixture.holds(&bo, 0)?);
        Ok(())
    }

    #[test]
    fn waits_for_users() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 1)?;

        for place in [TT, SYSTEM, VRAM] {
            let (fence, pending) = make_busy(bo.resv())?;

            signal_later(pending)?;
            validate(&bo, &[place])?;
            assert!(fence.is_signaled());
        }
        Ok(())
    }

    #[test]
    fn context_counts() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 3)?;
        let mut guard = bo.reserve(false)?;
        let mut ctx = OperationCtx::new(false);

        assert!(!ctx.interruptible());
        guard
            .reserved()
            .validate(&Placement::new(&[TT]), &mut ctx)?;
        assert_eq!(ctx.bytes_moved(), 3 * PAGE);
        guard
            .reserved()
            .validate(&Placement::new(&[TT]), &mut ctx)?;
        assert_eq!(ctx.bytes_moved(), 3 * PAGE);
        Ok(())
    }

    #[test]
    fn discarded_content_reads_as_zeros() -> Result {
        let fixture = Fixture::new()?;
        // Pages that were used before.
        let old = fixture.bo_in(VRAM, 4)?;
        fixture.fill(Some(&old), JUNK)?;
        validate(&old, &[TT])?;
        let bo = fixture.bo_in(VRAM, 4)?;
        fixture.fill(Some(&bo), PATTERN)?;
        bo.worthless.store(true, Relaxed);

        drop(old);
        validate(&bo, &[TT])?;
        bo.worthless.store(false, Relaxed);
        validate(&bo, &[VRAM])?;
        assert!(fixture.holds(&bo, 0)?);
        Ok(())
    }

    #[test]
    fn content_cannot_be_discarded_on_the_way_to_vram() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(LOWER, 4)?;
        fixture.fill(Some(&bo), PATTERN)?;
        bo.worthless.store(true, Relaxed);

        assert_eq!(validate(&bo, &[UPPER]), Err(EINVAL));
        assert!(fixture.holds(&bo, PATTERN)?);
        Ok(())
    }
}
