// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The kind of a device's DMA mappings.
//!
//! C header: [`include/linux/dma-mapping.h`](srctree/include/linux/dma-mapping.h)

use core::ptr;

use kernel::device::{
    Bound,
    Device, //
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
