// SPDX-License-Identifier: MIT

//! Allocation of GPU virtual addresses.

use std::collections::BTreeMap;
use std::ops::Range;

/// A first-fit heap of addresses.
#[derive(Debug, Clone)]
pub struct VaHeap {
    /// Free ranges, start to end; no two of them touch.
    free: BTreeMap<u64, u64>,
}

impl VaHeap {
    /// A heap of which all is free.
    pub fn new(range: Range<u64>) -> Self {
        let free = if range.is_empty() {
            None
        } else {
            Some((range.start, range.end))
        };
        Self {
            free: free.into_iter().collect(),
        }
    }

    /// Takes the lowest free range of a size at a multiple of a power of two.
    pub fn alloc(&mut self, size: u64, align: u64) -> Option<u64> {
        debug_assert!(align.is_power_of_two());
        if size == 0 {
            return None;
        }
        let (start, end, addr) = self.free.iter().find_map(|(&start, &end)| {
            let addr = start.checked_next_multiple_of(align)?;
            (addr.checked_add(size)? <= end).then_some((start, end, addr))
        })?;
        self.free.remove(&start);
        if start < addr {
            self.free.insert(start, addr);
        }
        if addr + size < end {
            self.free.insert(addr + size, end);
        }
        Some(addr)
    }

    /// Gives a range back that was taken.
    pub fn free(&mut self, addr: u64, size: u64) {
        let (mut start, mut end) = (addr, addr + size);
        if let Some((&before, &before_end)) = self.free.range(..start).next_back() {
            debug_assert!(before_end <= start, "{addr:#x} was not taken");
            if before_end == start {
                self.free.remove(&before);
                start = before;
            }
        }
        if let Some(&after_end) = self.free.get(&end) {
            self.free.remove(&end);
            end = after_end;
        }
        self.free.insert(start, end);
    }

    /// Bytes that are free.
    pub fn available(&self) -> u64 {
        self.free.iter().map(|(start, end)| end - start).sum()
    }
}

/// The alignment that lets the driver map a BO of a size with the largest pages.
pub(crate) fn alignment_for(size: u64) -> u64 {
    const SMALL: u64 = 4 << 10;
    const MEDIUM: u64 = 64 << 10;
    const LARGE: u64 = 2 << 20;
    match size {
        LARGE.. => LARGE,
        MEDIUM.. => MEDIUM,
        _ => SMALL,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_the_lowest_aligned_range() {
        let mut heap = VaHeap::new(0x1000..0x10_0000);
        assert_eq!(heap.alloc(0x1000, 0x1000), Some(0x1000));
        assert_eq!(heap.alloc(0x1_0000, 0x1_0000), Some(0x1_0000));
        assert_eq!(heap.alloc(0x1000, 0x1000), Some(0x2000));
        assert_eq!(heap.alloc(0x10_0000, 0x1000), None);
        assert_eq!(heap.alloc(0, 0x1000), None);
    }

    #[test]
    fn the_end_of_the_address_space_does_not_wrap() {
        let mut heap = VaHeap::new(u64::MAX - 0x1fff..u64::MAX);
        assert_eq!(heap.alloc(u64::MAX, 0x1000), None);
        assert_eq!(heap.alloc(0x1000, 1 << 63), None);
        assert!(heap.alloc(0x1000, 0x1000).is_some());
    }

    #[test]
    fn alignment_follows_the_page_sizes() {
        assert_eq!(alignment_for(4096), 4096);
        assert_eq!(alignment_for(0x1_0000), 0x1_0000);
        assert_eq!(alignment_for(0x1f_f000), 0x1_0000);
        assert_eq!(alignment_for(0x20_0000), 0x20_0000);
    }

    proptest! {
        #[test]
        fn ranges_never_overlap_and_all_come_back(
            steps in prop::collection::vec((any::<bool>(), 1u64..40, 0u32..6, any::<prop::sample::Index>()), 1..200)
        ) {
            let whole = 0x1000..0x10_0000u64;
            let mut heap = VaHeap::new(whole.clone());
            let mut taken: Vec<Range<u64>> = Vec::new();
            for (take, pages, shift, index) in steps {
                if take {
                    let align = 0x1000 << shift;
                    if let Some(addr) = heap.alloc(pages * 0x1000, align) {
                        let new = addr..addr + pages * 0x1000;
                        prop_assert!(addr.is_multiple_of(align));
                        prop_assert!(whole.start <= new.start && new.end <= whole.end);
                        prop_assert!(taken.iter().all(|r| r.end <= new.start || new.end <= r.start));
                        taken.push(new);
                    }
                } else if !taken.is_empty() {
                    let range = taken.swap_remove(index.index(taken.len()));
                    heap.free(range.start, range.end - range.start);
                }
                let used: u64 = taken.iter().map(|r| r.end - r.start).sum();
                prop_assert_eq!(heap.available(), whole.end - whole.start - used);
            }
            for range in taken {
                heap.free(range.start, range.end - range.start);
            }
            prop_assert_eq!(heap.alloc(whole.end - whole.start, 0x1000), Some(whole.start));
        }
    }
}
