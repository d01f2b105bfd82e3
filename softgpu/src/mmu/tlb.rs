// SPDX-License-Identifier: GPL-2.0

//! The TLB: translations as they were when they were walked, until somebody says to forget them.

use std::collections;

use foldhash::fast::RandomState;

use super::SIZES;
use super::walk::Page;

/// A map that a packet of many pages is not held up by, however a guest chooses its addresses.
type HashMap<K, V> = collections::HashMap<K, V, RandomState>;

/// Translations of one page size that are kept before all of that size are dropped.
const CAPACITY: usize = 1 << 16;

#[derive(Default)]
pub(super) struct Tlb {
    /// For each of [`SIZES`], pages by address space and start.
    pages: [HashMap<(u32, u64), Page>; SIZES.len()],
}

impl Tlb {
    pub(super) fn get(&self, space: u32, address: u64) -> Option<Page> {
        SIZES
            .iter()
            .zip(&self.pages)
            .find_map(|(size, pages)| pages.get(&(space, address & !(size - 1))).copied())
    }

    pub(super) fn insert(&mut self, space: u32, page: Page) {
        for (size, pages) in SIZES.iter().zip(&mut self.pages) {
            if *size == page.size {
                if pages.len() == CAPACITY {
                    pages.clear();
                }
                pages.insert((space, page.start), page);
            }
        }
    }

    /// Forgets all pages that touch the addresses from `start` up to `end`.
    pub(super) fn forget(&mut self, space: u32, start: u64, end: u64) {
        for (size, pages) in SIZES.iter().zip(&mut self.pages) {
            let first = start & !(size - 1);
            if (end - first) / size <= pages.len() as u64 {
                for page in (first..end).step_by(*size as usize) {
                    pages.remove(&(space, page));
                }
            } else {
                pages.retain(|(of, page), _| *of != space || *page < first || *page >= end);
            }
        }
    }

    pub(super) fn forget_space(&mut self, space: u32) {
        for pages in &mut self.pages {
            pages.retain(|(of, _), _| *of != space);
        }
    }

    pub(super) fn forget_all(&mut self) {
        for pages in &mut self.pages {
            pages.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::Path;
    use crate::mmu::Target;

    fn page(start: u64, size: u64) -> Page {
        Page {
            start,
            size,
            target: Target::Vram(start),
            writable: true,
            table: Path::Vram,
        }
    }

    fn filled() -> Tlb {
        let mut tlb = Tlb::default();
        for space in 0..2 {
            for at in 0..8 {
                tlb.insert(space, page(at << 12, 4 << 10));
            }
            tlb.insert(space, page(1 << 16, 64 << 10));
            tlb.insert(space, page(2 << 20, 2 << 20));
        }
        tlb
    }

    #[test]
    fn finds_all_sizes() {
        let tlb = filled();
        assert_eq!(tlb.get(0, 0x1fff), Some(page(0x1000, 4 << 10)));
        assert_eq!(tlb.get(1, 0x1_fffc), Some(page(1 << 16, 64 << 10)));
        assert_eq!(tlb.get(1, (4 << 20) - 1), Some(page(2 << 20, 2 << 20)));
        assert_eq!(tlb.get(1, 4 << 20), None);
        assert_eq!(tlb.get(2, 0), None);
    }

    #[test]
    fn forgets_what_touches_the_range() {
        let mut tlb = filled();
        tlb.forget(0, 0x1800, 0x3001);
        assert!(tlb.get(0, 0).is_some());
        for address in [0x1000, 0x2000, 0x3000] {
            assert!(tlb.get(0, address).is_none());
            assert!(tlb.get(1, address).is_some());
        }
        assert!(tlb.get(0, 0x4000).is_some());

        tlb.forget(0, 0x1_f000, 0x1_f001);
        assert!(tlb.get(0, 1 << 16).is_none());
        tlb.forget(0, (4 << 20) - 1, u64::MAX);
        assert!(tlb.get(0, 2 << 20).is_none());
        assert!(tlb.get(0, 0x4000).is_some());
        assert!(tlb.get(1, 2 << 20).is_some());
    }

    #[test]
    fn is_bounded() {
        let mut tlb = Tlb::default();
        for at in 0..2 * CAPACITY as u64 {
            tlb.insert(0, page(at << 12, 4 << 10));
        }
        assert!(tlb.pages[0].len() <= CAPACITY);
    }
}
