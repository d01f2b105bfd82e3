// SPDX-License-Identifier: GPL-2.0

//! The scratchpad: a heap of its own.

use kernel::prelude::*;

use super::{
    alloc as alloc_aligned,
    alloc_zeroed,
    is_full,
    vram_place,
    Allocated,
    PAGE, //
};
use crate::{
    resource_mgr::{
        Scratchpad,
        Vram,
        SCRATCHPAD, //
    },
    rust::drm::ttm::{
        Place,
        PlaceFlags,
        ResourceManager, //
    },
    tests::fake::window, //
};

const ANYWHERE: Place = Place::new(SCRATCHPAD, PlaceFlags::NONE);

fn alloc(scratchpad: &Scratchpad, pages: usize) -> Allocated<Scratchpad> {
    alloc_aligned(scratchpad, ANYWHERE, pages, 1)
}

#[kunit_tests(rgt_scratchpad)]
mod tests {
    use super::*;

    #[test]
    fn gives_all_and_takes_it_back() -> Result {
        // As many pages as no power of two has.
        let scratchpad = Scratchpad::new(13 * PAGE)?;

        assert_eq!(scratchpad.size(), 13 * PAGE);
        for _ in 0..2 {
            let some = alloc(&scratchpad, 4)?;
            let rest = alloc(&scratchpad, 9)?;
            let sum: u64 = rest.extents().iter().map(|extent| extent.size).sum();

            assert_eq!(sum, 9 * PAGE);
            assert!(is_full(&alloc(&scratchpad, 1)));
            drop(some);
            assert!(is_full(&alloc(&scratchpad, 5)));
        }
        Ok(())
    }

    #[test]
    fn takes_nothing_of_vram() -> Result {
        let scratchpad = Scratchpad::new(4 * PAGE)?;
        let vram = Vram::new(16 * PAGE, 16 * PAGE, window(0, 16 * PAGE))?;
        let _all = alloc(&scratchpad, 4)?;

        assert_eq!(vram.cpu_visible_used(), 0);
        drop(alloc_aligned(&vram, vram_place(PlaceFlags::NONE), 16, 1)?);
        Ok(())
    }

    #[test]
    fn honours_place_and_alignment() -> Result {
        let scratchpad = Scratchpad::new(16 * PAGE)?;
        let upper = ANYWHERE.within(8, 16);
        let block = alloc_aligned(&scratchpad, upper.with(PlaceFlags::CONTIGUOUS), 4, 8)?;

        assert_eq!(block.extents().len(), 1);
        assert_eq!(block.extents()[0].offset, 8 * PAGE);
        assert!(scratchpad.compatible(&block, &upper, 4 * PAGE as usize));
        assert!(!scratchpad.compatible(&block, &ANYWHERE.within(0, 8), 4 * PAGE as usize));
        assert!(!scratchpad.intersects(&block, &ANYWHERE.within(0, 8), 4 * PAGE as usize));
        assert!(scratchpad.intersects(&block, &ANYWHERE, 4 * PAGE as usize));
        Ok(())
    }

    #[test]
    fn remembers_what_is_zero() -> Result {
        let scratchpad = Scratchpad::new(4 * PAGE)?;
        let block = alloc_zeroed(&scratchpad, ANYWHERE, 4)?;

        // A clear that is not done is none.
        drop(block);
        let block = alloc_zeroed(&scratchpad, ANYWHERE, 4)?;

        assert_eq!(block.dirty_extents().len(), 1);
        block.clearing().ok_or(EINVAL)?.done();
        drop(block);
        assert!(alloc_zeroed(&scratchpad, ANYWHERE, 4)?
            .dirty_extents()
            .is_empty());
        Ok(())
    }
}
