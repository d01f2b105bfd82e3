// SPDX-License-Identifier: GPL-2.0

//! VRAM: pages that went bad.

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
    rust::drm::ttm::PlaceFlags,
    tests::fake::window, //
};

const PAGES: u64 = 16;

fn vram() -> Result<Vram> {
    Vram::new(PAGES * PAGE, PAGES * PAGE, window(0, PAGES * PAGE))
}

fn pages(vram: &Vram, count: usize) -> Allocated<Vram> {
    alloc(vram, vram_place(PlaceFlags::NONE), count, 1)
}

/// A certain page.
fn page_at(vram: &Vram, page: u64) -> Allocated<Vram> {
    let place = vram_place(PlaceFlags::NONE).within(page, page + 1);

    alloc(vram, place, 1, 1)
}

/// The bad pages and whether they are in use, by number.
fn bad(vram: &Vram) -> Result<KVec<(u64, bool)>> {
    let mut pages = vram.bad_pages()?;

    pages.iter_mut().for_each(|(offset, _)| *offset /= PAGE);
    Ok(pages)
}

#[kunit_tests(rgt_vram_bad)]
mod tests {
    use super::*;

    #[test]
    fn free_ones_are_out_of_use_at_once() -> Result {
        let vram = vram()?;

        for page in [5, 15] {
            assert!(!vram.retire(page * PAGE)?);
        }
        assert!(is_full(&page_at(&vram, 5)));
        assert!(is_full(&pages(&vram, 15)));
        let rest = pages(&vram, 14)?;
        assert!(!rest.has_page(5 * PAGE) && !rest.has_page(15 * PAGE));
        assert!(is_full(&pages(&vram, 1)));
        drop(rest);
        assert!(is_full(&page_at(&vram, 15)));
        assert_eq!(bad(&vram)?.as_slice(), [(5, false), (15, false)]);
        Ok(())
    }

    #[test]
    fn used_ones_are_when_they_are_freed() -> Result {
        let vram = vram()?;
        let all = pages(&vram, 8)?;
        let first = offset_of(&all, 0).ok_or(EINVAL)?;

        let offset = first + 3 * PAGE;
        assert!(all.has_page(offset));
        assert!(vram.retire(offset)?);
        assert_eq!(vram.bad_pages()?.as_slice(), [(offset, true)]);
        drop(all);
        assert_eq!(vram.bad_pages()?.as_slice(), [(offset, false)]);
        assert!(is_full(&pages(&vram, 16)));
        assert!(!pages(&vram, 15)?.has_page(offset));
        Ok(())
    }

    #[test]
    fn spare_ones_are_not_kept() -> Result {
        let vram = vram()?;

        // The second is a spare chunk when it goes bad, the first one would become one.
        let used = page_at(&vram, 3)?;
        drop(page_at(&vram, 9)?);
        assert!(vram.retire(3 * PAGE)?);
        assert!(!vram.retire(9 * PAGE)?);
        drop(used);
        assert!(is_full(&page_at(&vram, 3)));
        assert!(is_full(&page_at(&vram, 9)));
        assert_eq!(bad(&vram)?.len(), 2);
        Ok(())
    }

    #[test]
    fn known_ones_and_none_at_all() -> Result {
        let vram = vram()?;

        assert!(!vram.retire(PAGE)?);
        assert!(!vram.retire(PAGE)?);
        for offset in [1, PAGE / 2, PAGES * PAGE, u64::MAX - PAGE + 1] {
            assert_eq!(vram.retire(offset), Err(EINVAL));
        }
        assert_eq!(bad(&vram)?.as_slice(), [(1, false)]);
        Ok(())
    }
}
