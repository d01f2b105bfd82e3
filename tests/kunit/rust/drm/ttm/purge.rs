// SPDX-License-Identifier: GPL-2.0

//! Buffer objects that give their backing up, and the ghosts that keep it while it is in use.

use kernel::prelude::*;

use super::fake::{
    make_busy,
    mem_type,
    signal_later,
    validate,
    Fixture,
    PAGE,
    SYSTEM,
    TT,
    VRAM,
    VRAM_PAGES, //
};
use crate::tests::wait::soon;

#[kunit_tests(rgt_bo_purge)]
mod tests {
    use super::*;

    #[test]
    fn idle_one_gives_its_memory_back() -> Result {
        let fixture = Fixture::new()?;

        for (place, others) in [VRAM, TT, SYSTEM].into_iter().zip(0..) {
            let bo = fixture.bo_in(place, 4)?;

            validate(&bo, &[])?;
            assert_eq!(mem_type(&bo)?, None);
            assert_eq!(fixture.vram.usage() + fixture.gtt.usage(), 0);
            // It is not the object that is gone.
            assert_eq!(fixture.fate.gone(), others);
            drop(bo);
            assert_eq!(fixture.fate.gone(), others + 1);
        }
        Ok(())
    }

    #[test]
    fn nothing_to_give_back() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo(4)?;

        validate(&bo, &[])?;
        assert_eq!(mem_type(&bo)?, None);
        Ok(())
    }

    #[test]
    fn content_is_lost() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, 4)?;

        for place in [VRAM, TT, SYSTEM] {
            fixture.fill(Some(&bo), !0)?;
            validate(&bo, &[place])?;
            validate(&bo, &[])?;
            validate(&bo, &[VRAM])?;
            assert!(fixture.holds(&bo, 0)?);
        }
        Ok(())
    }

    #[test]
    fn ghost_keeps_the_memory_of_a_busy_one() -> Result {
        let fixture = Fixture::new()?;

        for (place, used) in [(VRAM, true), (TT, false)] {
            let bo = fixture.bo_in(place, 4)?;
            let (_, pending) = make_busy(bo.resv())?;
            let usage = || {
                if used {
                    fixture.vram.usage()
                } else {
                    fixture.gtt.usage()
                }
            };

            validate(&bo, &[])?;
            assert_eq!(mem_type(&bo)?, None);
            assert_eq!(usage(), 4 * PAGE);

            pending.signal(Ok(()));
            assert!(soon(|| usage() == 0));
        }
        // The driver has heard of no ghost. An object goes after its ghost, which is gone later
        // than its memory.
        assert!(soon(|| fixture.fate.gone() == 2));
        assert_eq!(fixture.fate.notified(), 2);
        Ok(())
    }

    #[test]
    fn ghost_makes_room_when_it_is_idle() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(VRAM, VRAM_PAGES)?;
        let (fence, pending) = make_busy(bo.resv())?;

        validate(&bo, &[])?;
        signal_later(pending)?;
        let new = fixture.bo_in_place_of_others(VRAM, VRAM_PAGES)?;
        assert!(fence.is_signaled());
        assert!(fixture.holds(&new, 0)?);
        assert_eq!(mem_type(&bo)?, None);
        Ok(())
    }

    #[test]
    fn device_waits_for_ghosts() -> Result {
        let fixture = Fixture::new()?;
        let fate = fixture.fate.clone();
        let bo = fixture.bo_in(VRAM, 4)?;
        let (_, pending) = make_busy(bo.resv())?;

        validate(&bo, &[])?;
        drop(bo);
        signal_later(pending)?;
        drop(fixture);
        assert_eq!(fate.gone(), 1);
        Ok(())
    }
}
