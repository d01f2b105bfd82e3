// SPDX-License-Identifier: GPL-2.0

//! The cursor over a BO's memory, device-local or system pages.

use core::ops::Range;

use kernel::{
    dma::DmaAddress,
    page::PAGE_SIZE,
    prelude::*, //
};

use super::local::{
    Extent,
    LocalResource, //
};
use crate::hw::{
    Backing,
    Gpu, //
};

const PAGE: u64 = PAGE_SIZE as u64;

/// A contiguous segment of a BO's memory.
#[derive(Clone, Copy)]
pub(crate) struct Segment {
    /// Offset in the BO, in bytes.
    pub(crate) at: u64,
    /// Length in bytes.
    pub(crate) size: u64,
    /// The memory behind the first byte.
    pub(crate) backing: Backing,
}

impl Segment {
    /// Returns the address of device-local memory in the kernel's address space. `EINVAL` for
    /// system pages, which are there only while a window shows them.
    pub(crate) fn va(&self, gpu: &Gpu) -> Result<u64> {
        match self.backing {
            Backing::Vram(offset) => Ok(gpu.vram_va(offset)),
            Backing::Scratchpad(offset) => Ok(gpu.scratchpad_va(offset)),
            Backing::System(_) => Err(EINVAL),
        }
    }
}

/// A cursor over some bytes of a BO. It yields the largest contiguous segments, in order.
pub(crate) struct Cursor<'a> {
    memory: Memory<'a>,
    /// The bytes that are left.
    left: Range<u64>,
}

enum Memory<'a> {
    Local {
        res: &'a LocalResource,
        extents: &'a [Extent],
        /// Offset in the BO of the first of `extents`.
        start: u64,
    },
    /// The addresses of the BO's pages.
    Pages(&'a [DmaAddress]),
}

impl<'a> Cursor<'a> {
    /// Returns a cursor over device-local memory, which ends with that at the latest. The caller may
    /// write there: from now on it is not known to be zero.
    pub(crate) fn local(res: &'a LocalResource, bytes: Range<u64>) -> Self {
        Self {
            memory: Memory::Local {
                res,
                extents: res.extents(),
                start: 0,
            },
            left: bytes,
        }
    }

    /// Returns a cursor over system pages, which ends with the last of `pages` at the latest.
    pub(crate) fn pages(pages: &'a [DmaAddress], bytes: Range<u64>) -> Self {
        Self {
            memory: Memory::Pages(pages),
            left: bytes,
        }
    }
}

impl Iterator for Cursor<'_> {
    type Item = Segment;

    fn next(&mut self) -> Option<Segment> {
        let at = self.left.start;
        if self.left.is_empty() {
            return None;
        }

        let (backing, end) = match &mut self.memory {
            Memory::Local {
                res,
                extents,
                start,
            } => {
                let extent = loop {
                    let (extent, rest) = extents.split_first()?;
                    if at < *start + extent.size {
                        break extent;
                    }
                    *start += extent.size;
                    *extents = rest;
                };
                let backing = res.backing(extent.offset + (at - *start));

                (backing, *start + extent.size)
            }
            Memory::Pages(pages) => {
                let last = pages.len().min(self.left.end.div_ceil(PAGE) as usize);
                let rest = pages.get((at / PAGE) as usize..last)?;
                let first = *rest.first()?;
                let count = contiguous(rest, first);

                (
                    Backing::System(first + at % PAGE),
                    at - at % PAGE + count * PAGE,
                )
            }
        };
        self.left.start = end.min(self.left.end);
        Some(Segment {
            at,
            size: self.left.start - at,
            backing,
        })
    }
}

/// Returns the number of pages at the front of `pages` that follow each other from `first` on.
fn contiguous(pages: &[DmaAddress], first: DmaAddress) -> u64 {
    const BATCH: usize = 16;

    let mut count = 0;
    // Without a branch for each page.
    for batch in pages.as_chunks::<BATCH>().0 {
        let start = first + count * PAGE;
        let mut differing = 0;
        for (index, address) in batch.iter().enumerate() {
            differing |= address ^ start.wrapping_add(index as u64 * PAGE);
        }
        if differing != 0 {
            break;
        }
        count += BATCH as u64;
    }
    let follow = |(address, index): &(&DmaAddress, u64)| **address == first + index * PAGE;
    let rest = pages[count as usize..].iter().zip(count..);
    count + rest.take_while(follow).count() as u64
}
