// SPDX-License-Identifier: GPL-2.0

//! The runs of pages that are mapped for DMA.

mod pages;

use core::ops::Range;

use kernel::prelude::*;

use crate::rust::{
    bindings::drm_pagemap_addr,
    drm::gpusvm::PageAddresses, //
};

const PAGE: u64 = 4096;

/// An entry for pages of this order.
fn entry(page: u64, order: u64) -> drm_pagemap_addr {
    let mut entry = drm_pagemap_addr {
        addr: page * PAGE,
        ..drm_pagemap_addr::default()
    };
    entry.set_order(order);
    entry
}

/// The runs of so many pages, in pages.
fn runs(entries: &[drm_pagemap_addr], count: usize) -> Result<KVec<(Range<u64>, u64)>> {
    let mut runs = KVec::new();

    for (bytes, address) in PageAddresses::new(entries, count * PAGE as usize, true).runs() {
        let run = (bytes.start / PAGE..bytes.end / PAGE, address / PAGE);
        runs.push(run, GFP_KERNEL)?;
    }
    Ok(runs)
}

#[kunit_tests(rgt_gpusvm)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_run() -> Result {
        let entries = [
            entry(100, 0),
            entry(101, 0),
            // Below, and so not behind.
            entry(99, 0),
            entry(200, 2),
            entry(204, 0),
            entry(300, 0),
        ];
        let runs = runs(&entries, 9)?;
        assert_eq!(&*runs, [(0..2, 100), (2..3, 99), (3..8, 200), (8..9, 300)]);
        Ok(())
    }

    #[test]
    fn what_is_past_the_end_is_not_looked_at() -> Result {
        // One entry each was reserved for three pages, and one entry is of all of them.
        let entries = [entry(8, 2), entry(0, 0), entry(0, 0)];
        assert_eq!(&*runs(&entries, 3)?, [(0..3, 8)]);
        assert!(runs(&entries, 0)?.is_empty());
        Ok(())
    }
}
