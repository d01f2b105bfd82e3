// SPDX-License-Identifier: GPL-2.0

//! The cursor over a BO's memory.

use kernel::{
    dma::DmaAddress,
    prelude::*, //
};

use super::{
    alloc,
    vram_place,
    PAGE, //
};
use crate::{
    hw::Backing,
    resource_mgr::{
        Cursor,
        Vram, //
    },
    rust::drm::ttm::PlaceFlags,
    tests::fake::window, //
};

/// Returns offset in the BO, size and address of each segment of system pages.
fn segments(pages: &[DmaAddress], bytes: core::ops::Range<u64>) -> Result<KVec<(u64, u64, u64)>> {
    let mut found = KVec::new();

    for segment in Cursor::pages(pages, bytes) {
        let Backing::System(address) = segment.backing else {
            return Err(EINVAL);
        };
        found.push((segment.at, segment.size, address), GFP_KERNEL)?;
    }
    Ok(found)
}

#[kunit_tests(rgt_cursor)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_pages_are_one_segment() -> Result {
        let pages = [PAGE, 2 * PAGE, 7 * PAGE, 8 * PAGE, 3 * PAGE];

        assert_eq!(
            segments(&pages, 0..5 * PAGE)?[..],
            [
                (0, 2 * PAGE, PAGE),
                (2 * PAGE, 2 * PAGE, 7 * PAGE),
                (4 * PAGE, PAGE, 3 * PAGE)
            ]
        );
        Ok(())
    }

    #[test]
    fn segments_end_where_pages_stop_to_follow() -> Result {
        const COUNT: usize = 50;

        for at in 1..COUNT {
            let mut pages = [0; COUNT];
            for (index, page) in pages.iter_mut().enumerate() {
                *page = (7 + index as u64 + u64::from(index >= at)) * PAGE;
            }
            let (at, count) = (at as u64, COUNT as u64);
            assert_eq!(
                segments(&pages, 0..count * PAGE)?[..],
                [
                    (0, at * PAGE, 7 * PAGE),
                    (at * PAGE, (count - at) * PAGE, (8 + at) * PAGE)
                ]
            );
        }
        Ok(())
    }

    #[test]
    fn range_cuts_segments_at_both_ends() -> Result {
        let pages = [PAGE, 2 * PAGE, 3 * PAGE, 4 * PAGE];

        assert_eq!(
            segments(&pages, PAGE..3 * PAGE)?[..],
            [(PAGE, 2 * PAGE, 2 * PAGE)]
        );
        // Not only at pages.
        assert_eq!(
            segments(&pages, PAGE + 8..PAGE + 16)?[..],
            [(PAGE + 8, 8, 2 * PAGE + 8)]
        );
        assert!(segments(&pages, PAGE..PAGE)?.is_empty());
        Ok(())
    }

    #[test]
    fn cursor_ends_with_the_memory() -> Result {
        assert_eq!(segments(&[PAGE], 0..u64::MAX)?[..], [(0, PAGE, PAGE)]);
        assert!(segments(&[PAGE], PAGE..2 * PAGE)?.is_empty());
        Ok(())
    }

    #[test]
    fn extents_of_vram_follow_each_other() -> Result {
        let vram = Vram::new(64 * PAGE, 64 * PAGE, window(0, 64 * PAGE))?;
        let place = vram_place(PlaceFlags::NONE);
        // 8 pages of every other block of 4: no two of them touch.
        let mut held = KVec::new();
        for _ in 0..16 {
            held.push(alloc(&vram, place, 4, 4)?, GFP_KERNEL)?;
        }
        let mut index = 0;
        held.retain(|_| {
            index += 1;
            index % 2 == 0
        });
        let res = alloc(&vram, place, 8, 1)?;

        let mut next = 0;
        let mut count = 0;
        for segment in Cursor::local(&res, 0..u64::MAX) {
            assert_eq!(segment.at, next);
            assert_eq!(segment.size, 4 * PAGE);
            assert!(matches!(segment.backing, Backing::Vram(_)));
            next += segment.size;
            count += 1;
        }
        assert_eq!((next, count), (8 * PAGE, 2));

        // A range in the middle has a part of both.
        let mut parts = Cursor::local(&res, 3 * PAGE..5 * PAGE);
        let (first, second) = (parts.next(), parts.next());
        assert_eq!(
            first.map(|part| (part.at, part.size)),
            Some((3 * PAGE, PAGE))
        );
        assert_eq!(
            second.map(|part| (part.at, part.size)),
            Some((4 * PAGE, PAGE))
        );
        assert!(parts.next().is_none());
        Ok(())
    }
}
