// SPDX-License-Identifier: GPL-2.0

//! VRAM: where in it a place puts a resource, and which places a resource suits.

use kernel::prelude::*;

use super::{
    alloc,
    is_full,
    offset_of,
    vram_place,
    Allocated,
    PAGE, //
};
use crate::{
    resource_mgr::Vram,
    rust::drm::ttm::{
        Place,
        PlaceFlags,
        ResourceManager, //
    },
    tests::fake::window, //
};

const PAGES: u64 = 16;
const SIZE: usize = PAGE as usize;

fn vram() -> Result<Vram> {
    Vram::new(PAGES * PAGE, PAGES * PAGE, window(0, PAGES * PAGE))
}

fn within(first: u64, end: u64) -> Place {
    vram_place(PlaceFlags::NONE).within(first, end)
}

fn contiguous() -> Place {
    vram_place(PlaceFlags::CONTIGUOUS)
}

fn page(vram: &Vram, number: u64) -> Allocated<Vram> {
    alloc(vram, within(number, number + 1), 1, 1)
}

#[kunit_tests(rgt_vram_place)]
mod tests {
    use super::*;

    #[test]
    fn range_limits() -> Result {
        let vram = vram()?;
        let mut resources = KVec::new();

        for _ in 0..4 {
            let resource = alloc(&vram, within(0, 4), 1, 1)?;

            assert!(resource.is_below(4 * PAGE));
            resources.push(resource, GFP_KERNEL)?;
        }
        assert!(is_full(&alloc(&vram, within(0, 4), 1, 1)));

        let rest = alloc(&vram, within(4, 16), 12, 1)?;

        assert!(rest
            .extents()
            .iter()
            .all(|extent| extent.offset >= 4 * PAGE));
        Ok(())
    }

    #[test]
    fn range_may_be_open_or_reach_out() -> Result {
        let vram = vram()?;
        let open = alloc(&vram, within(13, 0), 3, 1)?;

        assert_eq!(offset_of(&open, 0), Some(13 * PAGE));
        drop(open);
        drop(alloc(&vram, within(8, 1000), 8, 1)?);
        drop(alloc(&vram, within(0, u64::MAX), 16, 1)?);
        Ok(())
    }

    #[test]
    fn range_without_room_is_full() -> Result {
        let vram = vram()?;

        assert!(is_full(&alloc(&vram, within(0, 4), 5, 1)));
        assert!(is_full(&alloc(&vram, within(15, 0), 2, 1)));
        // Not in VRAM at all, and no range at all.
        assert!(is_full(&alloc(&vram, within(16, 20), 1, 1)));
        assert!(is_full(&alloc(&vram, within(u64::MAX, 0), 1, 1)));
        assert!(is_full(&alloc(&vram, within(8, 4), 1, 1)));
        assert!(is_full(&alloc(&vram, within(4, 4), 1, 1)));
        Ok(())
    }

    #[test]
    fn whole_range_needs_its_alignment() -> Result {
        let vram = vram()?;

        drop(alloc(&vram, within(2, 10), 8, 2)?);
        assert!(is_full(&alloc(&vram, within(1, 9), 8, 2)));
        Ok(())
    }

    #[test]
    fn contiguous_is_one_extent() -> Result {
        let vram = vram()?;

        for place in [contiguous(), contiguous().within(0, 16)] {
            for pages in 1..=16 {
                let resource = alloc(&vram, place, pages, 1)?;

                assert_eq!(resource.extents().len(), 1);
                assert_eq!(resource.extents()[0].size, pages as u64 * PAGE);
            }
        }
        Ok(())
    }

    #[test]
    fn fragments_serve_all_but_contiguous() -> Result {
        let vram = vram()?;
        let mut odd = KVec::new();

        for number in (1..16).step_by(2) {
            odd.push(page(&vram, number)?, GFP_KERNEL)?;
        }
        for place in [contiguous(), contiguous().within(0, 16)] {
            assert!(is_full(&alloc(&vram, place, 2, 1)));
            drop(alloc(&vram, place, 1, 1)?);
        }
        assert!(is_full(&alloc(&vram, within(0, 0), 8, 2)));

        let even = alloc(&vram, within(0, 0), 8, 1)?;

        assert_eq!(even.extents().len(), 8);
        assert!(is_full(&alloc(&vram, within(0, 0), 1, 1)));
        drop(odd);
        drop(even);
        // The blocks are merged again.
        drop(alloc(&vram, contiguous(), 16, 1)?);
        Ok(())
    }

    #[test]
    fn top_down_starts_at_the_end() -> Result {
        let vram = vram()?;
        let place = vram_place(PlaceFlags::TOPDOWN);
        let mut resources = KVec::new();

        for number in (8..16).rev() {
            let resource = alloc(&vram, place, 1, 1)?;

            assert_eq!(offset_of(&resource, 0), Some(number * PAGE));
            resources.push(resource, GFP_KERNEL)?;
        }
        Ok(())
    }

    #[test]
    fn intersects_where_it_has_a_page() -> Result {
        let vram = vram()?;
        let four = alloc(&vram, within(4, 8), 4, 1)?;
        let intersects = |place: &Place| vram.intersects(&four, place, SIZE);

        assert!(intersects(&within(0, 0)));
        assert!(intersects(&within(4, 8)));
        assert!(intersects(&within(7, 8)));
        assert!(intersects(&within(0, 5)));
        assert!(intersects(&within(5, 0)));
        assert!(!intersects(&within(0, 4)));
        assert!(!intersects(&within(8, 16)));
        assert!(!intersects(&within(8, 0)));
        Ok(())
    }

    #[test]
    fn compatible_if_all_of_it_is_inside() -> Result {
        let vram = vram()?;
        let four = alloc(&vram, within(4, 8), 4, 1)?;
        let compatible = |place: &Place| vram.compatible(&four, place, SIZE);

        assert!(compatible(&within(0, 0)));
        assert!(compatible(&within(4, 8)));
        assert!(compatible(&within(0, 16)));
        assert!(compatible(&within(4, 0)));
        assert!(compatible(&contiguous()));
        assert!(compatible(&vram_place(PlaceFlags::TOPDOWN)));
        assert!(!compatible(&within(5, 0)));
        assert!(!compatible(&within(0, 7)));
        assert!(!compatible(&within(8, 16)));
        Ok(())
    }

    #[test]
    fn pieces_are_not_compatible_with_contiguous() -> Result {
        let vram = vram()?;
        let _middle = page(&vram, 1)?;
        let pieces = alloc(&vram, within(0, 3), 2, 1)?;

        assert_eq!(pieces.extents().len(), 2);
        assert!(vram.compatible(&pieces, &within(0, 3), 2 * SIZE));
        assert!(!vram.compatible(&pieces, &contiguous(), 2 * SIZE));
        // It has nothing between its extents.
        assert!(!vram.intersects(&pieces, &within(1, 2), SIZE));
        Ok(())
    }
}
