// SPDX-License-Identifier: GPL-2.0

//! The memory behind a range of addresses, segment by segment.

use core::ops::Range;

use kernel::prelude::*;

use super::{
    backing::Backing,
    pool::Count, //
};
use crate::hw::abi::{
    limits::{
        PAGE_SIZE,
        VA_BITS, //
    },
    pte::BLOCK_2M, //
};

/// Returns whether an entry of level 1 can map the block of 2 MiB at `va`, of which all of `part` is
/// of a segment that maps `va` to `address`.
pub(super) fn fits_block(part: &Range<u64>, address: u64) -> bool {
    part.end - part.start == BLOCK_2M && address % BLOCK_2M == 0
}

/// A cursor over segments: addresses in ascending order, and what they are mapped to.
pub(super) struct Segments<I> {
    segments: I,
    va: Range<u64>,
    address: u64,
    aperture: u64,
}

impl<I: Iterator<Item = (Range<u64>, Backing)>> Segments<I> {
    pub(super) fn new(segments: I) -> Self {
        Self {
            segments,
            va: 0..0,
            address: 0,
            aperture: 0,
        }
    }

    /// Returns the end of the segment that has `va`, the address that `va` is mapped to, and its
    /// aperture. [`EINVAL`] if no segment has it, or an invalid one.
    pub(super) fn at(&mut self, va: u64) -> Result<(u64, u64, u64)> {
        while self.va.end <= va {
            let (range, backing) = self.segments.next().ok_or(EINVAL)?;
            let (address, aperture) = backing.entry();
            let size = range.end.checked_sub(range.start).ok_or(EINVAL)?;
            let end = address.checked_add(size).ok_or(EINVAL)?;
            if (range.start | range.end | address) % PAGE_SIZE != 0 || end > 1 << VA_BITS {
                return Err(EINVAL);
            }
            self.va = range;
            self.address = address;
            self.aperture = aperture;
        }
        let offset = va.checked_sub(self.va.start).ok_or(EINVAL)?;
        Ok((self.va.end, self.address + offset, self.aperture))
    }
}

/// Counts the tables of level 0 that it takes at most to map segments.
pub(super) fn count(segments: impl Iterator<Item = (Range<u64>, Backing)>) -> Count {
    let mut count = Count::default();
    // The end of the last block that was counted, and the start of the segment before.
    let (mut counted, mut before) = (0, 0);

    for (va, backing) in segments {
        if va.start < before {
            counted = 0;
        }
        before = va.start;
        let (address, _) = backing.entry();
        let aligned = address.wrapping_sub(va.start) % BLOCK_2M == 0;
        // The blocks that one entry maps.
        let whole = if aligned {
            va.start.next_multiple_of(BLOCK_2M)..va.end / BLOCK_2M * BLOCK_2M
        } else {
            va.end..va.end
        };
        let rest = if whole.is_empty() {
            [va.start..va.end, va.end..va.end]
        } else {
            [va.start..whole.start, whole.end..va.end]
        };
        for part in rest.iter().filter(|part| !part.is_empty()) {
            let first = (part.start / BLOCK_2M * BLOCK_2M).max(counted);
            let end = part.end.next_multiple_of(BLOCK_2M);
            count.add(0, end.saturating_sub(first) / BLOCK_2M);
            counted = end;
        }
    }
    count
}
