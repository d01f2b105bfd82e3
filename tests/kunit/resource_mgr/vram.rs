// SPDX-License-Identifier: GPL-2.0

//! VRAM: sizes, alignment, extents, and what is used of the visible part.

use core::ops::Range;

use kernel::{
    io::PhysAddr,
    prelude::*, //
};

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
        PlaceFlags, //
    },
    tests::fake::window, //
};

const BAR: PhysAddr = 0x1_0000_0000;

fn vram(pages: u64, visible: u64) -> Result<Vram> {
    Vram::new(pages * PAGE, visible * PAGE, window(BAR, visible * PAGE))
}

fn anywhere(vram: &Vram, pages: usize) -> Allocated<Vram> {
    alloc(vram, vram_place(PlaceFlags::NONE), pages, 1)
}

/// Every kind of place in the first `pages` of VRAM.
fn places(pages: u64) -> [Place; 5] {
    let (none, contiguous) = (
        vram_place(PlaceFlags::NONE),
        vram_place(PlaceFlags::CONTIGUOUS),
    );

    [
        none,
        contiguous,
        vram_place(PlaceFlags::TOPDOWN),
        none.within(0, pages),
        contiguous.within(0, pages),
    ]
}

#[kunit_tests(rgt_vram)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_the_cpu_sees() -> Result {
        let vram = vram(16, 4)?;

        assert_eq!(vram.size(), 16 * PAGE);
        assert_eq!(vram.cpu_visible_size(), 4 * PAGE);
        // Of a BO of all of VRAM the CPU sees what is in the window.
        let all = anywhere(&vram, 16)?;
        let run = all.extents().first().and_then(|all| vram.io_run(all));
        assert_eq!(run.map(|run| (run.addr(), run.pages())), Some((BAR, 4)));

        // A window larger than VRAM shows no more than VRAM.
        assert_eq!(super::vram(16, 32)?.cpu_visible_size(), 16 * PAGE);
        Ok(())
    }

    #[test]
    fn a_run_is_whole_pages_of_the_window() -> Result {
        let window = window(BAR, 4 * PAGE);
        let run = |bytes| window.run(bytes).map(|run| (run.addr(), run.pages()));

        assert_eq!(run(PAGE..4 * PAGE), Some((BAR + PAGE as PhysAddr, 3)));
        for bytes in [
            0..0,
            0..5 * PAGE,
            4 * PAGE..4 * PAGE,
            8 * PAGE..9 * PAGE,
            1..PAGE,
            0..1,
            Range {
                start: 2 * PAGE,
                end: PAGE,
            },
            u64::MAX - PAGE + 1..u64::MAX,
        ] {
            assert_eq!(run(bytes), None);
        }
        Ok(())
    }

    #[test]
    fn gives_all_and_takes_it_back() -> Result {
        let vram = vram(16, 16)?;

        for _ in 0..3 {
            let all = anywhere(&vram, 16)?;

            assert!(is_full(&anywhere(&vram, 1)));
            drop(all);
        }
        Ok(())
    }

    #[test]
    fn too_much_is_no_space() -> Result {
        let vram = vram(16, 4)?;

        for place in [places(16), places(4)].as_flattened() {
            for pages in [17, 1 << 20, 1 << 50] {
                assert!(is_full(&alloc(&vram, *place, pages, 1)));
            }
        }
        drop(anywhere(&vram, 16)?);
        Ok(())
    }

    #[test]
    fn honours_alignment() -> Result {
        let vram = vram(64, 64)?;
        // Nothing must be aligned by chance.
        let _first = alloc(&vram, vram_place(PlaceFlags::NONE).within(0, 1), 1, 1)?;
        let _last = alloc(&vram, vram_place(PlaceFlags::NONE).within(63, 64), 1, 1)?;

        for place in places(48) {
            for alignment in [1, 2, 4, 8, 16] {
                for pages in [1, 2, 3, 4, 5, 8, 11] {
                    let resource = alloc(&vram, place, pages, alignment)?;
                    let start = resource.extent_at(0).ok_or(EINVAL)?.offset;

                    assert_eq!(start % (alignment as u64 * PAGE), 0);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn fits_or_is_full_whatever_is_asked() -> Result {
        // Sizes that no power of two divides are where roundings go wrong.
        for total in [12, 13] {
            let vram = vram(total, 11)?;
            let from = |first| places(total).map(|place| place.within(first, 9));

            for place in [places(total), places(11), from(1), from(3)].as_flattened() {
                for alignment in [1, 2, 8, 512] {
                    for pages in [1, 3, 4, 5, 8, 9, 11, 12, 13] {
                        let result = alloc(&vram, *place, pages, alignment);
                        let sound = match &result {
                            Ok(resource) => {
                                let sum: u64 = resource.extents().iter().map(|e| e.size).sum();

                                sum == pages as u64 * PAGE
                            }
                            Err(err) => *err == ENOSPC,
                        };

                        assert!(sound);
                    }
                }
            }
            assert_eq!(vram.cpu_visible_used(), 0);
            drop(anywhere(&vram, total as usize)?);
        }
        Ok(())
    }

    #[test]
    fn extents_cover_the_bytes_in_order() -> Result {
        let vram = vram(16, 16)?;
        let mut pages = KVec::new();

        for _ in 0..16 {
            pages.push(Some(anywhere(&vram, 1)?), GFP_KERNEL)?;
        }
        // Pages 2, 3, 4 and 9 become free.
        for page in pages.iter_mut() {
            let offset = page.as_ref().and_then(|page| offset_of(page, 0));

            if [2, 3, 4, 9].map(|page| Some(page * PAGE)).contains(&offset) {
                *page = None;
            }
        }

        let resource = anywhere(&vram, 4)?;
        let extents = resource.extents();

        assert_eq!(
            extents.iter().map(|extent| extent.size).sum::<u64>(),
            4 * PAGE
        );
        // Neighbours are joined.
        assert!(extents
            .windows(2)
            .all(|pair| pair[0].offset + pair[0].size != pair[1].offset));

        let mut byte = 0;
        for extent in extents {
            assert_eq!(offset_of(&resource, byte), Some(extent.offset));
            byte += extent.size;
            assert_eq!(
                offset_of(&resource, byte - 1),
                Some(extent.offset + extent.size - 1)
            );
        }
        assert_eq!(offset_of(&resource, byte), None);
        assert_eq!(offset_of(&resource, u64::MAX), None);

        assert!(resource.is_below(10 * PAGE));
        assert!(!resource.is_below(10 * PAGE - 1));
        assert!(!resource.is_below(0));
        Ok(())
    }

    #[test]
    fn neighbours_are_one_extent() -> Result {
        let vram = vram(16, 16)?;
        let all = anywhere(&vram, 16)?;

        assert_eq!(all.extents().len(), 1);
        drop(all);

        // Blocks of 8, 4 and 1 pages.
        let contiguous = alloc(&vram, vram_place(PlaceFlags::CONTIGUOUS), 13, 1)?;

        assert_eq!(contiguous.extents().len(), 1);
        assert_eq!(contiguous.extents()[0].size, 13 * PAGE);
        Ok(())
    }

    #[test]
    fn counts_the_visible_part() -> Result {
        let vram = vram(16, 4)?;
        let place = vram_place(PlaceFlags::NONE);

        assert_eq!(vram.cpu_visible_used(), 0);
        {
            let _below = alloc(&vram, place.within(0, 2), 2, 1)?;
            assert_eq!(vram.cpu_visible_used(), 2 * PAGE);
            // The window ends in the middle of this one.
            let _across = alloc(&vram, place.within(2, 6), 4, 1)?;
            assert_eq!(vram.cpu_visible_used(), 4 * PAGE);
            let _above = alloc(&vram, place.within(6, 16), 10, 1)?;
            assert_eq!(vram.cpu_visible_used(), 4 * PAGE);
            assert!(is_full(&anywhere(&vram, 1)));
            assert_eq!(vram.cpu_visible_used(), 4 * PAGE);
        }
        assert_eq!(vram.cpu_visible_used(), 0);
        Ok(())
    }

    #[test]
    fn resource_outlives_the_manager() -> Result {
        let vram = vram(16, 16)?;
        let resource = anywhere(&vram, 16)?;

        drop(vram);
        drop(resource);
        Ok(())
    }
}
