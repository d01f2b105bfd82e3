// SPDX-License-Identifier: GPL-2.0

//! Memory types that are emptied.

use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

use super::fake::{
    make_busy,
    mem_type,
    signal_later,
    validate,
    Fixture,
    PAGE,
    TT,
    VRAM, //
};
use crate::rust::drm::ttm::{
    Device,
    MemType, //
};

#[kunit_tests(rgt_bo_evict_all)]
mod tests {
    use super::*;

    #[test]
    fn all_leave() -> Result {
        let fixture = Fixture::new()?;
        let pages = fixture.bo_in(TT, 1)?;
        let one = fixture.bo_in(VRAM, 2)?;
        let other = fixture.bo_in(VRAM, 3)?;

        // It is not asked about.
        one.keep.store(true, Relaxed);
        fixture.fill(Some(&one), 1)?;
        fixture.fill(Some(&other), 2)?;
        Device::of(&fixture.drm).evict_all(MemType::VRAM)?;
        for bo in [&one, &other, &pages] {
            assert_eq!(mem_type(bo)?, Some(MemType::TT));
        }
        assert_eq!(fixture.vram.usage(), 0);

        validate(&other, &[VRAM])?;
        assert!(fixture.holds(&other, 2)?);
        Ok(())
    }

    #[test]
    fn busy_bo_that_is_destroyed_is_waited_for() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 2)?;
        let (_, pending) = make_busy(bo.resv())?;

        drop(bo);
        assert_eq!(fixture.vram.usage(), 2 * PAGE);
        signal_later(pending)?;
        Device::of(&fixture.drm).evict_all(MemType::VRAM)?;
        assert_eq!(fixture.vram.usage(), 0);
        Ok(())
    }

    #[test]
    fn failure_is_reported() -> Result {
        let fixture = Fixture::new()?;
        let device = Device::of(&fixture.drm);

        assert_eq!(device.evict_all(MemType::PRIV), Err(EINVAL));
        assert_eq!(device.evict_all(MemType::SYSTEM), Err(EINVAL));
        Ok(())
    }
}
