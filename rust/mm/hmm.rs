// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The pages that are in a process's page tables, as HMM sees them.
//!
//! C header: [`include/linux/hmm.h`](srctree/include/linux/hmm.h)

use core::ops::Range;

use kernel::{
    error::to_result,
    mm::MmWithUser,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*, //
};

use super::interval_notifier::{
    IntervalOps,
    Sequence, //
};
use crate::rust::bindings;

/// The pages of a range of addresses, as they are in the page tables.
///
/// They may be others by the time that somebody looks: all that is done with them is behind a check
/// of the notifier.
pub struct HmmSnapshot(KVVec<usize>);

impl HmmSnapshot {
    /// Returns the pages of a range of whole pages, without bringing in those that are missing.
    ///
    /// `EBUSY` if they have changed since the sequence was begun, `EINVAL` for no whole pages, or if `mm`
    /// is that of another process than the notifier's.
    ///
    /// C: `hmm_range_fault()`.
    pub fn new<T: IntervalOps>(
        sequence: Sequence<'_, T>,
        range: Range<usize>,
        mm: &MmWithUser,
    ) -> Result<Self> {
        let notifier = sequence.notifier();
        if mm.as_raw() != notifier.mm().as_raw() || (range.start | range.end) % PAGE_SIZE != 0 {
            return Err(EINVAL);
        }
        let pages = range.len() >> PAGE_SHIFT;
        let mut pfns = KVVec::from_elem(0_usize, pages, GFP_KERNEL_ACCOUNT)?;
        let mut hmm = bindings::hmm_range {
            notifier: notifier.as_raw(),
            notifier_seq: sequence.number(),
            start: range.start,
            end: range.end,
            hmm_pfns: pfns.as_mut_ptr(),
            ..pin_init::zeroed()
        };

        let _mmap_lock = mm.mmap_read_lock();
        // SAFETY: The notifier is inserted, there is an entry for each page, and the lock is held.
        to_result(unsafe { bindings::hmm_range_fault(&raw mut hmm) })?;
        Ok(Self(pfns))
    }

    /// Marks the pages dirty that the process may write: the device may write them, of which its
    /// page-table entries tell nothing, and what is clean is dropped instead of being written to swap
    /// or to its file.
    ///
    /// C: `folio_mark_dirty()`.
    ///
    /// # Safety
    ///
    /// The pages must not have changed since, and not be able to change meanwhile: a lock must be held
    /// that callbacks of the notifier take, and its sequence number have been compared.
    pub unsafe fn mark_dirty(&self) {
        // SAFETY: The entries are of `hmm_range_fault()`. By the safety requirements the pages are
        // still mapped, and are not unmapped meanwhile, so that they are not freed or truncated.
        unsafe { bindings::rgt_hmm_pfns_mark_dirty(self.0.as_ptr(), self.0.len()) };
    }
}
