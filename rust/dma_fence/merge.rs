// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Fences that stand for several.
//!
//! C headers: [`include/linux/dma-fence-array.h`](srctree/include/linux/dma-fence-array.h),
//! [`include/linux/dma-fence-unwrap.h`](srctree/include/linux/dma-fence-unwrap.h)

use core::ptr::NonNull;

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

use super::Fence;
use crate::rust::bindings;

impl Fence {
    /// Returns a fence that signals when all of `fences` have, with the error of one that failed.
    ///
    /// Fences that stand for several themselves are taken apart, those of timeline syncobjs among
    /// them. If one or none is pending, no new one is made. It is a `dma_fence_array` otherwise,
    /// which must not be put into a reservation: put its parts there.
    ///
    /// C: `dma_fence_unwrap_merge()`.
    pub fn merge(fences: &[&Self]) -> Result<ARef<Self>> {
        let mut cursors = KVec::with_capacity(fences.len(), GFP_KERNEL)?;
        for _ in fences {
            cursors.push(bindings::dma_fence_unwrap::default(), GFP_KERNEL)?;
        }

        // CAST: `Fence` is transparent, so that a reference is a pointer to a `dma_fence`. C does
        // not write through it.
        let list = fences.as_ptr().cast_mut().cast();
        // SAFETY: All fences are valid, and there are as many cursors. C takes its own references.
        let merged =
            unsafe { bindings::__dma_fence_unwrap_merge(fences.len(), list, cursors.as_mut_ptr()) };
        let merged = NonNull::new(merged.cast()).ok_or(ENOMEM)?;

        // SAFETY: The function returned a reference.
        Ok(unsafe { ARef::from_raw(merged) })
    }
}
