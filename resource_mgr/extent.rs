// SPDX-License-Identifier: GPL-2.0

//! Contiguous pieces of the GPU's own memory.

use core::ops::Range;

use kernel::prelude::*;

/// A contiguous piece of VRAM or of the scratchpad.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// Offset in that memory, in bytes.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) size: u64,
}

impl Extent {
    /// Where it ends.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.size
    }
}

/// Calls `f` with the offset in the BO, the offset in the memory and the size of each piece that
/// holds some of the BO's `bytes`.
pub(crate) fn for_each_part(
    extents: &[Extent],
    bytes: Range<u64>,
    mut f: impl FnMut(u64, u64, u64) -> Result,
) -> Result {
    let mut start = 0;

    for extent in extents {
        let end = start + extent.size;
        let part = bytes.start.max(start)..bytes.end.min(end);
        if part.start < part.end {
            f(
                part.start,
                extent.offset + (part.start - start),
                part.end - part.start,
            )?;
        }
        start = end;
    }
    Ok(())
}
