// SPDX-License-Identifier: GPL-2.0

//! VRAM: what is known to be zero, and how the free part is cut up.

use kernel::{
    prelude::*,
    sizes::{
        SZ_2M,
        SZ_64K, //
    }, //
};

use super::{
    alloc,
    alloc_zeroed,
    vram_place,
    Allocated,
    PAGE, //
};
use crate::{
    hw::VramGeneration,
    resource_mgr::{
        LocalResource, //
        Vram,
    },
    rust::drm::ttm::PlaceFlags,
    tests::fake::window, //
};

const PAGES: u64 = 16;

fn vram() -> Result<Vram> {
    Vram::new(PAGES * PAGE, PAGES * PAGE, window(0, PAGES * PAGE))
}

/// VRAM for a BO that reads as zeros.
fn zeroed(vram: &Vram, pages: usize) -> Allocated<Vram> {
    alloc_zeroed(vram, vram_place(PlaceFlags::NONE), pages)
}

/// VRAM for a BO with content.
fn plain(vram: &Vram, pages: usize) -> Allocated<Vram> {
    alloc(vram, vram_place(PlaceFlags::NONE), pages, 1)
}

/// Bytes that must be cleared.
fn dirty(vram: &Vram, pages: usize) -> Result<u64> {
    let resource = zeroed(vram, pages)?;
    let sum = resource.dirty_extents().iter().map(|e| e.size).sum();

    Ok(sum)
}

/// Clears what is dirty.
fn cleared(resource: &LocalResource) -> Result {
    resource.clearing().ok_or(EINVAL)?.done();
    Ok(())
}

/// Takes all and gives it back as zeros.
fn clear(vram: &Vram) -> Result {
    cleared(&*zeroed(vram, PAGES as usize)?)
}

#[kunit_tests(rgt_vram_zero)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_zero_at_first() -> Result {
        let vram = vram()?;

        assert_eq!(vram.fragmentation()?.cleared, 0);
        assert_eq!(dirty(&vram, PAGES as usize)?, PAGES * PAGE);
        assert_eq!(dirty(&vram, 3)?, 3 * PAGE);
        Ok(())
    }

    #[test]
    fn cleared_and_unused_stays_zero() -> Result {
        let vram = vram()?;

        clear(&vram)?;
        assert_eq!(vram.fragmentation()?.cleared, PAGES * PAGE);
        for _ in 0..2 {
            // It is not written.
            assert_eq!(dirty(&vram, 5)?, 0);
        }
        assert_eq!(dirty(&vram, PAGES as usize)?, 0);
        Ok(())
    }

    #[test]
    fn what_the_cpu_does_not_see_comes_before_zeros() -> Result {
        let vram = Vram::new(PAGES * PAGE, PAGES / 2 * PAGE, window(0, PAGES / 2 * PAGE))?;
        let window = vram_place(PlaceFlags::NONE).within(0, PAGES / 2);

        cleared(&*alloc_zeroed(&vram, window, PAGES as usize / 2)?)?;
        let hidden = vram_place(PlaceFlags::TOPDOWN);
        let resource = alloc_zeroed(&vram, hidden, PAGES as usize / 2)?;
        assert!(resource
            .extents()
            .iter()
            .all(|extent| extent.offset >= vram.cpu_visible_end()));
        // The rest is in the window.
        drop(alloc_zeroed(&vram, hidden, PAGES as usize / 2)?);
        Ok(())
    }

    #[test]
    fn what_was_lost_is_not_zero() -> Result {
        let generation = VramGeneration::new()?;
        let vram = vram()?.with_generation(&generation);

        clear(&vram)?;
        generation.lose();
        assert_eq!(dirty(&vram, PAGES as usize)?, PAGES * PAGE);

        // Neither is memory that was allocated when it was lost.
        clear(&vram)?;
        let resource = zeroed(&vram, 4)?;
        assert!(resource.clearing().is_none());
        generation.lose();
        assert_eq!(dirty(&vram, 4)?, 4 * PAGE);
        // A clear that comes now has all of it to do.
        assert!(resource.clearing().is_some());
        let sum: u64 = resource.dirty_extents().iter().map(|e| e.size).sum();

        assert_eq!(sum, 4 * PAGE);
        drop(resource);
        assert_eq!(dirty(&vram, PAGES as usize)?, PAGES * PAGE);
        Ok(())
    }

    #[test]
    fn who_asks_where_it_is_may_write() -> Result {
        let vram = vram()?;
        let uses: [fn(&LocalResource); 2] = [
            |resource| {
                resource.extents();
            },
            |resource| {
                resource.extent_at(0);
            },
        ];

        for using in uses {
            clear(&vram)?;
            {
                let resource = zeroed(&vram, PAGES as usize)?;

                assert!(resource.clearing().is_none());
                using(&resource);
            }
            assert_eq!(dirty(&vram, PAGES as usize)?, PAGES * PAGE);
        }
        Ok(())
    }

    #[test]
    fn only_the_rest_is_dirty() -> Result {
        let vram = vram()?;

        clear(&vram)?;
        {
            let used = zeroed(&vram, 4)?;

            used.extents();
        }
        // The zeros come first, and are enough.
        assert_eq!(dirty(&vram, 8)?, 0);
        let all = zeroed(&vram, PAGES as usize)?;
        let sum: u64 = all.dirty_extents().iter().map(|e| e.size).sum();

        assert_eq!(sum, 4 * PAGE);
        assert_eq!(all.extents().len(), 1);
        Ok(())
    }

    #[test]
    fn content_takes_what_is_not_zero() -> Result {
        let vram = vram()?;

        clear(&vram)?;
        zeroed(&vram, 4)?.extents();
        // A BO that is moved here with its content wastes no zeros.
        let moved = plain(&vram, 4)?;

        assert_eq!(vram.fragmentation()?.cleared, 12 * PAGE);
        assert_eq!(moved.dirty_extents().len(), 1);
        Ok(())
    }

    #[test]
    fn zeros_do_not_keep_a_large_block_apart() -> Result {
        let vram = vram()?;

        clear(&vram)?;
        zeroed(&vram, 1)?.extents();
        let whole = alloc(&vram, vram_place(PlaceFlags::CONTIGUOUS), 16, 1)?;

        assert_eq!(whole.extents().len(), 1);
        Ok(())
    }

    #[test]
    fn counts_free_blocks() -> Result {
        let vram = vram()?;
        let free = vram.fragmentation()?;

        assert_eq!(free.free, PAGES * PAGE);
        assert_eq!(free.largest(), PAGES * PAGE);
        assert_eq!(free.free_blocks[..], [0, 0, 0, 0, 1]);

        let place = vram_place(PlaceFlags::NONE);
        let page = alloc(&vram, place.within(5, 6), 1, 1)?;
        let cut = vram.fragmentation()?;

        assert_eq!(cut.free, 15 * PAGE);
        assert_eq!(cut.largest(), 8 * PAGE);
        assert_eq!(cut.free_blocks[..], [1, 1, 1, 1, 0]);

        let _rest = plain(&vram, 15)?;
        let none = vram.fragmentation()?;

        assert_eq!((none.free, none.largest()), (0, 0));
        drop(page);
        assert_eq!(vram.fragmentation()?.largest(), PAGE);
        Ok(())
    }

    #[test]
    fn large_bos_have_large_blocks() -> Result {
        const BLOCK_2M: u64 = SZ_2M as u64;
        const BLOCK_64K: u64 = SZ_64K as u64;
        let vram = Vram::new(8 * BLOCK_2M, 8 * BLOCK_2M, window(0, 8 * BLOCK_2M))?;
        let place = vram_place(PlaceFlags::NONE);
        let mut holes = KVec::new();

        // A page in the middle of every second block of 2 MiB, and one of each 64 KiB of the first.
        for block in [0, 2, 4, 6] {
            let page = (block * BLOCK_2M + BLOCK_2M / 2) / PAGE;

            holes.push(
                alloc(&vram, place.within(page, page + 1), 1, 1)?,
                GFP_KERNEL,
            )?;
        }
        // Three whole blocks of 2 MiB, then 64 KiB, then pages.
        let size = 3 * BLOCK_2M + 3 * BLOCK_64K + 3 * PAGE;
        let resource = plain(&vram, (size / PAGE) as usize)?;
        let mut at = 0;

        for extent in resource.extents() {
            let unit = match size - at {
                BLOCK_2M.. => BLOCK_2M,
                BLOCK_64K.. => BLOCK_64K,
                _ => PAGE,
            };

            // Page tables can map it with pages of that size where the BO is aligned to it.
            assert_eq!(extent.offset % unit, 0);
            assert_eq!(at % unit, 0);
            at += extent.size;
        }
        assert_eq!(at, size);
        Ok(())
    }
}
