// SPDX-License-Identifier: GPL-2.0

//! VRAM: single pages that are kept for the next one.

use kernel::prelude::*;

use super::{
    alloc,
    alloc_zeroed,
    is_full,
    offset_of,
    vram_place,
    Allocated,
    PAGE, //
};
use crate::{
    resource_mgr::Vram,
    rust::drm::ttm::PlaceFlags,
    tests::fake::window, //
};

const PAGES: u64 = 16;

fn vram() -> Result<Vram> {
    Vram::new(PAGES * PAGE, PAGES * PAGE, window(0, PAGES * PAGE))
}

/// A certain page.
fn page_at(vram: &Vram, page: u64) -> Allocated<Vram> {
    alloc(
        vram,
        vram_place(PlaceFlags::NONE).within(page, page + 1),
        1,
        1,
    )
}

/// Any page in the half that begins with `first`. Returns its number.
fn any_in_half(vram: &Vram, first: u64) -> Result<Option<u64>> {
    let place = vram_place(PlaceFlags::NONE).within(first, first + PAGES / 2);

    Ok(offset_of(&*alloc(vram, place, 1, 1)?, 0).map(|offset| offset / PAGE))
}

#[kunit_tests(rgt_vram_spare)]
mod tests {
    use super::*;

    #[test]
    fn what_was_freed_last_comes_first() -> Result {
        let vram = vram()?;

        drop((page_at(&vram, 5)?, page_at(&vram, 3)?, page_at(&vram, 14)?));
        assert_eq!(any_in_half(&vram, 0)?, Some(3));
        assert_eq!(any_in_half(&vram, PAGES / 2)?, Some(14));
        // It is the one that was freed last now.
        drop(page_at(&vram, 5)?);
        assert_eq!(any_in_half(&vram, 0)?, Some(5));
        Ok(())
    }

    #[test]
    fn few_are_kept() -> Result {
        let vram = vram()?;
        let mut pages = KVec::new();

        for page in [1, 3, 5, 7, 9, 11, 13] {
            pages.push(page_at(&vram, page)?, GFP_KERNEL)?;
        }
        for page in pages {
            drop(page);
        }
        // The pages in the first half were freed first, and went back.
        assert_eq!(any_in_half(&vram, 0)?, Some(7));
        let taken = page_at(&vram, 7)?;

        assert_eq!(any_in_half(&vram, 0)?, Some(0));
        drop(taken);
        Ok(())
    }

    #[test]
    fn spare_pages_are_room_for_large_allocations() -> Result {
        let vram = vram()?;
        let place = vram_place(PlaceFlags::NONE);

        drop((page_at(&vram, 4)?, page_at(&vram, 9)?));
        drop(alloc(&vram, place, PAGES as usize, 1)?);
        drop((page_at(&vram, 4)?, page_at(&vram, 9)?));
        drop(alloc(
            &vram,
            vram_place(PlaceFlags::CONTIGUOUS),
            PAGES as usize,
            1,
        )?);
        drop((page_at(&vram, 4)?, page_at(&vram, 9)?));
        drop(alloc(&vram, place.within(2, 6), 4, 1)?);
        Ok(())
    }

    #[test]
    fn they_count_as_free() -> Result {
        let vram = vram()?;

        drop(page_at(&vram, 4)?);
        let free = vram.fragmentation()?;

        assert_eq!((free.free, free.largest()), (PAGES * PAGE, PAGES * PAGE));
        let _all = alloc(&vram, vram_place(PlaceFlags::NONE), PAGES as usize, 1)?;

        assert!(is_full(&page_at(&vram, 4)));
        Ok(())
    }

    #[test]
    fn top_down_is_from_the_top() -> Result {
        let vram = vram()?;

        drop(page_at(&vram, 2)?);
        let page = alloc(&vram, vram_place(PlaceFlags::TOPDOWN), 1, 1)?;

        assert_eq!(offset_of(&page, 0), Some((PAGES - 1) * PAGE));
        Ok(())
    }

    #[test]
    fn aligned_is_aligned() -> Result {
        let vram = vram()?;

        drop(page_at(&vram, 3)?);
        let place = vram_place(PlaceFlags::NONE).within(0, PAGES / 2);
        let page = alloc(&vram, place, 1, 4)?;

        assert_eq!(
            offset_of(&page, 0).map(|offset| offset % (4 * PAGE)),
            Some(0)
        );
        Ok(())
    }

    #[test]
    fn zero_is_known_of_them_too() -> Result {
        let vram = vram()?;
        let place = vram_place(PlaceFlags::NONE).within(0, PAGES / 2);

        for used in [false, true] {
            {
                let page = alloc_zeroed(&vram, place, 1)?;

                if let Some(clearing) = page.clearing() {
                    clearing.done();
                }
                if used {
                    page.extents();
                }
            }
            let again = alloc_zeroed(&vram, place, 1)?;

            assert_eq!(again.clearing().is_some(), used);
            assert_eq!(again.dirty_extents().is_empty(), !used);
        }
        Ok(())
    }

    #[test]
    fn not_cleared_is_not_zero() -> Result {
        let vram = vram()?;
        let place = vram_place(PlaceFlags::NONE).within(0, PAGES / 2);

        // The clear of the first has failed, or is not done.
        drop(alloc_zeroed(&vram, place, 1)?);
        assert_eq!(alloc_zeroed(&vram, place, 1)?.dirty_extents().len(), 1);
        Ok(())
    }
}
