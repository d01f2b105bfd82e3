// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The system pages of a buffer object.
//!
//! C header: [`include/drm/ttm/ttm_tt.h`](srctree/include/drm/ttm/ttm_tt.h)

use core::slice;

use kernel::{
    dma::DmaAddress,
    types::Opaque, //
};

use crate::rust::bindings;

/// The caching mode of the CPU's mappings of pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Caching {
    /// Uncached.
    Uncached = bindings::ttm_caching_ttm_uncached,
    /// Writes are gathered, reads not cached.
    WriteCombined = bindings::ttm_caching_ttm_write_combined,
    /// Cached; the device snoops.
    Cached = bindings::ttm_caching_ttm_cached,
}

/// The system pages of a buffer object, populated or not.
///
/// # Invariants
///
/// A valid `struct ttm_tt` made by `ttm_sg_tt_init()`, whose BO is reserved, or pinned
/// with all of its pages, for the borrow.
#[repr(transparent)]
pub struct Tt(Opaque<bindings::ttm_tt>);

impl Tt {
    /// # Safety
    ///
    /// `ptr` must point to a `ttm_tt` that satisfies the type's invariants for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::ttm_tt) -> &'a Self {
        // SAFETY: `Tt` is transparent over `ttm_tt`; the rest is the caller's promise.
        unsafe { &*ptr.cast() }
    }

    /// Returns the pages, and their number. They must be populated and not another device's.
    pub(super) fn pages(&self) -> (*mut *mut bindings::page, usize) {
        let tt = self.0.get();

        // SAFETY: Valid by the type invariants.
        unsafe { ((*tt).pages, (*tt).num_pages as usize) }
    }

    pub(super) fn as_raw(&self) -> *mut bindings::ttm_tt {
        self.0.get()
    }

    /// Returns the DMA address of each page, or [`None`] while there are no pages, or the
    /// device does not reach them.
    pub fn dma_addresses(&self) -> Option<&[DmaAddress]> {
        let tt = self.0.get();
        // SAFETY: Valid by the type invariants.
        if !unsafe { bindings::rgt_ttm_tt_is_populated(tt) } {
            return None;
        }
        // Pages that others have pinned outlive the device's mappings of them.
        // SAFETY: As above.
        if unsafe { (*tt).dma_address }.is_null() {
            return None;
        }

        // SAFETY: `ttm_sg_tt_init()` allocates `num_pages` addresses, which the pool fills in when
        // it populates the pages, or the importer when the exporter maps them; they do not change while the reservation is held.
        Some(unsafe { slice::from_raw_parts((*tt).dma_address, (*tt).num_pages as usize) })
    }
}
