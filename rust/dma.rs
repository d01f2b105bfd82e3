// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The kind of a device's DMA mappings, and writes to many words of coherent memory.
//!
//! C header: [`include/linux/dma-mapping.h`](srctree/include/linux/dma-mapping.h)

use core::{
    ops::Range,
    ptr, //
};

use kernel::{
    device::{
        Bound,
        Device, //
    },
    dma::Coherent, //
};

use crate::rust::bindings;

/// Returns whether streaming mappings of a device are, or may be, bounce buffers.
///
/// # Safety
///
/// `dev` must be valid.
pub(in crate::rust) unsafe fn is_bounced(dev: *mut bindings::device) -> bool {
    // SAFETY: By the safety requirements.
    unsafe { bindings::rgt_dma_is_bounced(dev) }
}

/// The kind of a streaming mapping: the page itself, or a bounce buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Streaming {
    /// The device reaches all pages.
    Direct,
    /// Pages beyond the device's DMA mask are bounced.
    Limited,
    /// All pages are bounced, or may be: `swiotlb=force`, encrypted memory, a Xen guest.
    Bounced,
}

impl Streaming {
    /// Returns the kind for a device, whose DMA mask must have been set.
    pub fn of(dev: &Device<Bound>) -> Self {
        // CAST: `Device` is transparent over `struct device`, behind an `Opaque`.
        let dev = ptr::from_ref(dev).cast_mut().cast();

        // SAFETY: The device is valid and bound.
        if unsafe { is_bounced(dev) } {
            Self::Bounced
        // SAFETY: As above.
        } else if unsafe { bindings::dma_addressing_limited(dev) } {
            Self::Limited
        } else {
            Self::Direct
        }
    }
}

/// Writes the words of coherent memory in `range`, one by one, in ascending order, as `word` says of
/// their index. Those beyond the end of the memory are left out.
///
/// This does what `io_write!` does for each, with fewer checks.
pub fn write_words<const N: usize>(
    memory: &Coherent<[u64; N]>,
    range: Range<usize>,
    word: impl Fn(usize) -> u64,
) {
    /// Words that are written without a branch in between.
    const BATCH: usize = 8;

    let base = memory.as_mut_ptr().cast::<u64>();
    let write = |index: usize| {
        // SAFETY: The index is inside of the array, which is valid. As others may access it, the
        // device among them, no reference to it exists, and the access is volatile.
        unsafe { base.add(index).write_volatile(word(index)) };
    };
    let (mut next, end) = (range.start, range.end.min(N));

    while end.saturating_sub(next) >= BATCH {
        for offset in 0..BATCH {
            write(next.wrapping_add(offset));
        }
        next += BATCH;
    }
    for index in next..end {
        write(index);
    }
}
