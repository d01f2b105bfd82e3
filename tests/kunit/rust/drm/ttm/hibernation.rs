// SPDX-License-Identifier: GPL-2.0

//! System pages that are moved to shmem for a hibernation.

use kernel::prelude::*;

use super::fake::{
    make_busy,
    signal_later,
    validate,
    Fixture,
    GTT_PAGES,
    SYSTEM,
    TT,
    VRAM, //
};
use crate::rust::drm::ttm::{
    backup,
    AllocFlags,
    Device, //
};

const PATTERN: u64 = 0x0123_4567_89ab_cdef;
const PAGES: usize = 4;

fn prepare(fixture: &Fixture) -> Result<u64> {
    let device = Device::of(&fixture.drm);

    device.prepare_hibernation()?;
    Ok(device.populated_pages())
}

/// Prepares for a hibernation with a BO in each type of memory, one of which is busy. Returns the
/// number of pages that are left, and whether each BO has its content after it.
fn hibernate(flags: AllocFlags) -> Result<(u64, bool)> {
    let fixture = Fixture::with(GTT_PAGES, AllocFlags::PROPAGATE_ENOSPC | flags)?;
    let bos = [
        fixture.bo_in(VRAM, PAGES)?,
        fixture.bo_in(VRAM, PAGES)?,
        fixture.bo_in(VRAM, PAGES)?,
    ];

    for (index, bo) in bos.iter().enumerate() {
        fixture.fill(Some(bo), PATTERN + index as u64)?;
    }
    validate(&bos[1], &[TT])?;
    validate(&bos[2], &[SYSTEM])?;
    let (_, pending) = make_busy(bos[1].resv())?;
    signal_later(pending)?;
    let left = prepare(&fixture)?;

    // The room that the others had in VRAM does not have their content.
    fixture.fill(None, 0)?;
    fixture.fill(Some(&bos[0]), PATTERN)?;
    let mut kept = true;
    for (index, bo) in bos.iter().enumerate() {
        validate(bo, &[VRAM])?;
        kept &= fixture.holds(bo, PATTERN + index as u64)?;
    }
    Ok((left, kept))
}

#[kunit_tests(rgt_bo_hibernation)]
mod tests {
    use super::*;

    #[test]
    fn content_of_pages_is_backed_up() -> Result {
        let left = match backup::room() {
            0 => 2 * PAGES as u64,
            _ => 0,
        };

        assert_eq!(hibernate(AllocFlags::NONE)?, (left, true));
        Ok(())
    }

    #[test]
    fn content_of_coherent_memory_is_swapped_out() -> Result {
        assert_eq!(hibernate(AllocFlags::USE_DMA_ALLOC)?, (0, true));
        Ok(())
    }

    #[test]
    fn pinned_pages_stay() -> Result {
        let flags = AllocFlags::PROPAGATE_ENOSPC | AllocFlags::USE_DMA_ALLOC;
        let fixture = Fixture::with(GTT_PAGES, flags)?;
        let bo = fixture.bo_in(TT, PAGES)?;
        let pinned = bo.reserve(false)?.reserved().pin(false)?;

        assert_eq!(prepare(&fixture)?, PAGES as u64);
        drop(pinned);
        assert_eq!(prepare(&fixture)?, 0);
        Ok(())
    }

    #[test]
    fn device_must_be_up() -> Result {
        let fixture = Fixture::uninitialised(GTT_PAGES)?;

        assert_eq!(prepare(&fixture), Err(ENODEV));
        Ok(())
    }
}
