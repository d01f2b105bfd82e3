// SPDX-License-Identifier: GPL-2.0

//! The TLB: translations as they were when they were walked, until they are invalidated, and the
//! entries above them that point to tables.

use std::collections;

use foldhash::fast::RandomState;

use crate::abi::pte;

use super::SIZES;
use super::walk::{Page, Step, shift};

/// A map with a fast hash function that guests cannot attack by their choice of addresses.
type HashMap<K, V> = collections::HashMap<K, V, RandomState>;

/// Translations of one page size that are kept before all of that size are dropped; and pointers
/// to tables of one level.
const CAPACITY: usize = 1 << 16;

/// Levels whose entries can point to tables, the lowest first.
const LINKS: [u32; pte::LEVELS as usize - 1] = [1, 2, 3];

#[derive(Default)]
pub(super) struct Tlb {
    /// For each of [`SIZES`], pages by address space and start.
    pages: [HashMap<(u32, u64), Page>; SIZES.len()],
    /// For each of [`LINKS`], entries that point to tables, by address space and the first address
    /// below them.
    links: [HashMap<(u32, u64), u64>; LINKS.len()],
}

/// Removes the units of `size` bytes from a map that overlap the addresses from `start` up to
/// `end`.
fn forget_units<T>(map: &mut HashMap<(u32, u64), T>, space: u32, start: u64, end: u64, size: u64) {
    let first = start & !(size - 1);
    if (end - first) / size <= map.len() as u64 {
        for unit in (first..end).step_by(size as usize) {
            map.remove(&(space, unit));
        }
    } else {
        map.retain(|(of, unit), _| *of != space || *unit < first || *unit >= end);
    }
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

    /// Returns the lowest known table on the way to `address`.
    pub(super) fn step(&self, space: u32, address: u64) -> Option<Step> {
        LINKS.iter().zip(&self.links).find_map(|(level, links)| {
            let below = address >> shift(*level) << shift(*level);
            links.get(&(space, below)).map(|entry| Step {
                level: level - 1,
                table: *entry,
            })
        })
    }

    /// Inserts a table that a walk to `address` passed.
    pub(super) fn insert_step(&mut self, space: u32, address: u64, step: Step) {
        for (level, links) in LINKS.iter().zip(&mut self.links) {
            if level - 1 == step.level {
                if links.len() == CAPACITY {
                    links.clear();
                }
                let below = address >> shift(*level) << shift(*level);
                links.insert((space, below), step.table);
            }
        }
    }

    /// Removes all pages, and all pointers to tables, that overlap the addresses from `start` up to
    /// `end`.
    pub(super) fn forget(&mut self, space: u32, start: u64, end: u64) {
        for (size, pages) in SIZES.iter().zip(&mut self.pages) {
            forget_units(pages, space, start, end, *size);
        }
        for (level, links) in LINKS.iter().zip(&mut self.links) {
            forget_units(links, space, start, end, 1 << shift(*level));
        }
    }

    pub(super) fn forget_space(&mut self, space: u32) {
        for pages in &mut self.pages {
            pages.retain(|(of, _), _| *of != space);
        }
        for links in &mut self.links {
            links.retain(|(of, _), _| *of != space);
        }
    }

    pub(super) fn forget_all(&mut self) {
        *self = Self::default();
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
    fn knows_the_lowest_table() {
        const G: u64 = 1 << 30;
        let at = 3 * G + (6 << 20);
        let step = |level| Step {
            level,
            table: 0x1000 << level,
        };
        let mut tlb = Tlb::default();
        assert_eq!(tlb.step(0, at), None);
        for level in [2, 1, 0] {
            tlb.insert_step(0, at, step(level));
            assert_eq!(tlb.step(0, at), Some(step(level)));
        }
        assert_eq!(tlb.step(0, at + (2 << 20)), Some(step(1)));
        assert_eq!(tlb.step(0, at - G), Some(step(2)));
        assert_eq!(tlb.step(0, at + (512 * G)), None);
        assert_eq!(tlb.step(1, at), None);

        // A byte below a table is enough to forget where it is.
        tlb.forget(0, at + (4 << 20), at + (4 << 20) + 1);
        assert_eq!(tlb.step(0, at), Some(step(0)));
        assert_eq!(tlb.step(0, at + (2 << 20)), None);
        tlb.forget_space(0);
        assert_eq!(tlb.step(0, at), None);
    }

    #[test]
    fn is_bounded() {
        let mut tlb = Tlb::default();
        for at in 0..2 * CAPACITY as u64 {
            tlb.insert(0, page(at << 12, 4 << 10));
        }
        assert!(tlb.pages[0].len() <= CAPACITY);
        for at in 0..2 * CAPACITY as u64 {
            let step = Step { level: 0, table: 0 };
            tlb.insert_step(0, at << 21, step);
        }
        assert!(tlb.links[0].len() <= CAPACITY);
    }
}
