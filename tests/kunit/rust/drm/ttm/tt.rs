// SPDX-License-Identifier: GPL-2.0

//! The driver's data of system pages.

use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::Relaxed, //
};

use super::fake::{
    make_busy,
    mem_type,
    validate,
    Bo,
    Fixture,
    TT,
    VRAM, //
};
use crate::{
    rust::drm::ttm::{
        backup,
        BoInit,
        OperationCtx, //
    },
    tests::wait::{
        settle,
        soon, //
    }, //
};

/// Returns how often the pages that a BO has now were about to be freed.
fn unpopulated(bo: &Bo) -> Result<Option<i32>> {
    let guard = bo.reserve(false)?;

    Ok(guard.tt_data().map(|data| data.unpopulated.load(Relaxed)))
}

#[kunit_tests(rgt_bo_tt)]
mod tests {
    use super::*;

    #[test]
    fn data_go_with_the_bo() -> Result {
        let fixture = Fixture::new()?;
        let (one, other) = (fixture.bo_in(TT, 1)?, fixture.bo_in(TT, 1)?);

        assert_eq!(fixture.fate.tts(), 2);
        drop(one);
        assert_eq!(fixture.fate.tts(), 1);
        assert_eq!(unpopulated(&other)?, Some(0));
        drop(other);
        assert_eq!(fixture.fate.tts(), 0);
        assert_eq!(fixture.fate.unpopulated(), 2);
        Ok(())
    }

    #[test]
    fn driver_is_told_before_pages_go() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(TT, 1)?;

        validate(&bo, &[VRAM])?;
        assert_eq!(fixture.fate.unpopulated(), 1);
        validate(&bo, &[TT])?;
        validate(&bo, &[])?;
        assert_eq!(fixture.fate.unpopulated(), 2);
        // There is nothing to lose.
        validate(&bo, &[])?;
        assert_eq!(fixture.fate.unpopulated(), 2);
        Ok(())
    }

    #[test]
    fn driver_is_told_before_pages_are_backed_up() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(TT, 1)?;
        let back_up = || {
            bo.reserve(false)?
                .reserved()
                .back_up(&mut OperationCtx::no_wait(), false)
        };
        let (_, pending) = make_busy(bo.resv())?;

        // A job still uses them.
        assert_eq!(back_up(), Err(EBUSY));
        assert_eq!(fixture.fate.unpopulated(), 0);
        pending.signal(Ok(()));
        assert_eq!(back_up().is_ok(), backup::room() != 0);
        assert_eq!(fixture.fate.unpopulated(), 1);
        Ok(())
    }

    #[test]
    fn busy_pages_keep_their_data() -> Result {
        let fixture = Fixture::new()?;
        let bo = fixture.bo_in(TT, 1)?;
        let (_, pending) = make_busy(bo.resv())?;

        validate(&bo, &[])?;
        assert_eq!(mem_type(&bo)?, None);
        settle();
        assert_eq!(fixture.fate.tts(), 2);
        assert_eq!(fixture.fate.unpopulated(), 0);
        pending.signal(Ok(()));
        assert!(soon(|| fixture.fate.tts() == 1));
        assert_eq!(fixture.fate.unpopulated(), 1);
        // The BO has data for new pages.
        assert_eq!(unpopulated(&bo)?, Some(0));
        Ok(())
    }

    #[test]
    fn without_data_there_is_no_bo() -> Result {
        let fixture = Fixture::new()?;
        let new = |data| {
            let init = BoInit {
                size: PAGE_SIZE,
                alignment_pages: 0,
                resv: None,
            };
            Bo::new(&fixture.drm, init, Ok::<_, Error>(data))
        };
        let data = fixture.data();

        data.no_pages.store(true, Relaxed);
        assert!(matches!(new(data), Err(ENOMEM)));
        assert_eq!(fixture.fate.gone(), 1);
        assert_eq!(fixture.fate.tts(), 0);
        drop(new(fixture.data())?);
        Ok(())
    }
}
