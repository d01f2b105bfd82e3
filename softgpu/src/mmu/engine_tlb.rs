// SPDX-License-Identifier: GPL-2.0

//! The TLB of an engine in the [`cost`](crate::abi::cost) model: it has the pages that were used
//! last, without their targets.

use crate::abi::cost::{TLB_ENTRIES, TLB_WAYS};

use super::SIZES;

const SETS: usize = TLB_ENTRIES / TLB_WAYS;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    space: u32,
    start: u64,
    size: u64,
}

/// Sets of pages, each in LRU order, the page used last in front.
pub(super) struct EngineTlb([[Option<Entry>; TLB_WAYS]; SETS]);

/// The set of a page. Fibonacci hashing: neighbours are spread evenly, and ranges that begin at
/// round addresses do not meet.
fn index(space: u32, start: u64, size: u64) -> usize {
    let key = (start / size) ^ (u64::from(space) << 40) ^ (size << 8);
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % SETS
}

impl Default for EngineTlb {
    fn default() -> Self {
        Self([[None; TLB_WAYS]; SETS])
    }
}

impl EngineTlb {
    /// Looks up the page at `address` and returns its end.
    pub(super) fn hit(&mut self, space: u32, address: u64) -> Option<u64> {
        SIZES.into_iter().find_map(|size| {
            let start = address & !(size - 1);
            let wanted = Some(Entry { space, start, size });
            let set = self.set(space, start, size);
            let way = set.iter().position(|entry| *entry == wanted)?;
            set[..=way].rotate_right(1);
            Some(start + size)
        })
    }

    /// Inserts a page and evicts the least recently used one of its set.
    pub(super) fn insert(&mut self, space: u32, start: u64, size: u64) {
        let set = self.set(space, start, size);
        set.rotate_right(1);
        set[0] = Some(Entry { space, start, size });
    }

    /// Removes all pages that overlap the addresses from `start` up to `end`.
    pub(super) fn forget(&mut self, space: u32, start: u64, end: u64) {
        for entry in self.0.as_flattened_mut() {
            if entry.is_some_and(|page| {
                page.space == space && page.start < end && start < page.start + page.size
            }) {
                *entry = None;
            }
        }
    }

    fn set(&mut self, space: u32, start: u64, size: u64) -> &mut [Option<Entry>; TLB_WAYS] {
        &mut self.0[index(space, start, size)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;

    #[test]
    fn keeps_the_pages_used_last() {
        let mut tlb = EngineTlb::default();
        // All in one set, and one more than it holds.
        let pages: Vec<u64> = (0..)
            .map(|n| n * PAGE)
            .filter(|start| index(0, *start, PAGE) == 5)
            .take(TLB_WAYS + 1)
            .collect();
        let page = |n: usize| pages[n];
        for n in 0..TLB_WAYS {
            tlb.insert(0, page(n), PAGE);
        }
        assert_eq!(tlb.hit(0, page(0) + 5), Some(page(0) + PAGE));
        tlb.insert(0, page(TLB_WAYS), PAGE);
        assert_eq!(tlb.hit(0, page(1)), None);
        assert!(tlb.hit(0, page(0)).is_some());
        assert!(tlb.hit(0, page(TLB_WAYS)).is_some());
        assert_eq!(tlb.hit(1, page(0)), None);
    }

    #[test]
    fn holds_a_stretch_of_pages() {
        let mut tlb = EngineTlb::default();
        let pages = TLB_ENTRIES as u64 / 2;
        for n in 0..pages {
            tlb.insert(3, n * PAGE, PAGE);
        }
        assert!((0..pages).all(|n| tlb.hit(3, n * PAGE) == Some((n + 1) * PAGE)));
    }

    #[test]
    fn forgets_what_touches_the_range() {
        let mut tlb = EngineTlb::default();
        for size in SIZES {
            tlb.insert(1, 8 << 20, size);
            tlb.insert(2, 8 << 20, size);
        }
        tlb.forget(1, (8 << 20) + 4096, u64::MAX);
        assert_eq!(tlb.hit(1, 8 << 20), Some((8 << 20) + 4096));
        tlb.forget(1, 0, (8 << 20) + 1);
        assert_eq!(tlb.hit(1, 8 << 20), None);
        assert!(tlb.hit(2, 8 << 20).is_some());
    }
}
