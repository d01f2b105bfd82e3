// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The pages that are in a process's page tables, as HMM sees them.
//!
//! C header: [`include/linux/hmm.h`](srctree/include/linux/hmm.h)

use core::{
    ops::Range,
    slice, //
};

use kernel::{
    error::to_result,
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*,
    time::Jiffies, //
};

use super::interval_notifier::{
    IntervalNotifier,
    IntervalOps,
    Sequence, //
};
use crate::rust::bindings;

/// A PFN with its flags: an entry of `hmm_range::hmm_pfns`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct HmmPfn(usize);

impl HmmPfn {
    /// Returns whether there is a page, which the process may read.
    pub fn is_valid(self) -> bool {
        self.0 & bindings::hmm_pfn_flags_HMM_PFN_VALID != 0
    }

    /// Returns whether there is a page that may be written without a fault of the process.
    pub fn is_writable(self) -> bool {
        const WRITABLE: usize =
            bindings::hmm_pfn_flags_HMM_PFN_VALID | bindings::hmm_pfn_flags_HMM_PFN_WRITE;

        self.0 & WRITABLE == WRITABLE
    }

    /// Returns whether there is no page, nor can be one: no memory, or none that has pages.
    pub fn is_error(self) -> bool {
        self.0 & bindings::hmm_pfn_flags_HMM_PFN_ERROR != 0
    }

    /// Returns the number of the page's frame, if there is a page.
    ///
    /// C: `HMM_PFN_FLAGS`.
    pub fn pfn(self) -> Option<usize> {
        self.is_valid()
            .then_some(self.0 & !bindings::hmm_pfn_flags_HMM_PFN_FLAGS)
    }

    /// Returns the order of the block of pages that one entry of the page tables maps, with this page
    /// in it. Parts of that may be outside of the range.
    ///
    /// C: `hmm_pfn_to_map_order()`.
    pub fn map_order(self) -> u32 {
        // CAST: It is masked.
        ((self.0 >> bindings::hmm_pfn_flags_HMM_PFN_ORDER_SHIFT) & 0x1f) as u32
    }
}

/// The pages of a range of addresses, as they were in the page tables.
///
/// They may be invalidated at any time, and are only returned behind a check of the
/// notifier. No reference is taken. Pages of `memfd_secret()` are among them: see
/// [`has_secrets()`](super::has_secrets).
///
/// # Examples
///
/// A driver looks for them until nothing has changed meanwhile:
///
/// ```
/// # use core::ops::Range;
/// # use kernel::{prelude::*, time::msecs_to_jiffies};
/// # use crate::rust::mm::{
/// #     hmm::{HmmPfn, HmmRange},
/// #     interval_notifier::{IntervalNotifier, IntervalOps},
/// # };
/// fn map<'a, T: IntervalOps>(
///     notifier: &'a IntervalNotifier<T>,
///     range: Range<usize>,
///     read: impl Fn(&'a T) -> T::ReadGuard<'a>,
///     write_entries: impl FnOnce(&[HmmPfn]),
/// ) -> Result {
///     loop {
///         let found = HmmRange::fault(notifier, range.clone(), true, msecs_to_jiffies(1000))?;
///         let guard = read(notifier);
///         if let Some(pages) = found.pages(&guard) {
///             write_entries(pages);
///             return Ok(());
///         }
///     }
/// }
/// # Ok::<(), Error>(())
/// ```
///
/// They go with the lock:
///
/// ```compile_fail,E0505
/// # use crate::rust::mm::{hmm::HmmRange, interval_notifier::IntervalOps};
/// fn look_late<T: IntervalOps>(range: &HmmRange<'_, T>, guard: T::ReadGuard<'_>) -> usize {
///     let pages = range.pages(&guard);
///     drop(guard);
///     pages.map_or(0, |pages| pages.len())
/// }
/// ```
///
/// # Invariants
///
/// `pfns` has what `hmm_range_fault()` has found for `sequence` and each page of a range.
pub struct HmmRange<'a, T: IntervalOps> {
    sequence: Sequence<'a, T>,
    pfns: KVVec<usize>,
}

impl<'a, T: IntervalOps> HmmRange<'a, T> {
    /// Returns the pages of a range, all of which are there: those that are missing are faulted in, to
    /// be written if `write` is set.
    ///
    /// To be called without a lock that callbacks take, or that is taken with `mmap_lock` held, such as
    /// a reservation. Pages may take any time to come.
    ///
    /// - `EINVAL` for a range that is empty, or not of whole pages, or not in that of the notifier.
    /// - `EFAULT` where there is no memory, or none that has pages, and when the process is gone.
    /// - `EPERM` if the process may not write all of it, and `write` is set.
    /// - `EBUSY` when they change again and again for as long as `timeout`, of which 0 stands for ever.
    /// - `EINTR` when a signal came that kills the task.
    /// - `ENOMEM`
    ///
    /// C: `hmm_range_fault_unlocked_timeout()`.
    pub fn fault(
        notifier: &'a IntervalNotifier<T>,
        range: Range<usize>,
        write: bool,
        timeout: Jiffies,
    ) -> Result<Self> {
        let mut pfns = room(notifier, &range)?;
        let _users = notifier.mm().mmget_not_zero().ok_or(EFAULT)?;
        let mut flags = bindings::hmm_pfn_flags_HMM_PFN_REQ_FAULT;
        if write {
            flags |= bindings::hmm_pfn_flags_HMM_PFN_REQ_WRITE;
        }
        let mut hmm = raw(notifier, range, &mut pfns);
        hmm.default_flags = flags;

        // SAFETY: The notifier is inserted, for a range that this one is in. There is an entry for each
        // page, and its process has users.
        to_result(unsafe { bindings::hmm_range_fault_unlocked_timeout(&raw mut hmm, timeout) })?;

        // SAFETY: The function began to read the pages before it found them.
        let sequence = unsafe { Sequence::from_raw(notifier, hmm.notifier_seq) };
        // INVARIANT: It has succeeded.
        Ok(Self { sequence, pfns })
    }

    /// Returns the pages of a range as they are, without bringing in those that are missing.
    ///
    /// To be called without such locks as [`Self::fault()`].
    ///
    /// - `EINVAL` as there.
    /// - `EBUSY` if they have changed since the sequence was begun.
    /// - `EFAULT` when the process is gone.
    /// - `ENOMEM`
    ///
    /// C: `hmm_range_fault()`.
    pub fn snapshot(sequence: Sequence<'a, T>, range: Range<usize>) -> Result<Self> {
        let notifier = sequence.notifier();
        let mut pfns = room(notifier, &range)?;
        let mm = notifier.mm().mmget_not_zero().ok_or(EFAULT)?;
        let mut hmm = raw(notifier, range, &mut pfns);
        hmm.notifier_seq = sequence.number();

        let lock = mm.mmap_read_lock();
        // SAFETY: The notifier is inserted, for a range that this one is in. There is an entry for each
        // page, and the lock is held.
        to_result(unsafe { bindings::hmm_range_fault(&raw mut hmm) })?;
        drop(lock);

        // INVARIANT: It has succeeded.
        Ok(Self { sequence, pfns })
    }

    /// Returns the state of the notifier's pages that these are of.
    pub fn sequence(&self) -> Sequence<'a, T> {
        self.sequence
    }

    /// Returns the pages, one entry for each, in order. They do not change as long as the lock is held.
    /// [`None`] if they have changed, as [`Sequence::read_retry()`] says.
    pub fn pages<'b>(&'b self, guard: &'b T::ReadGuard<'_>) -> Option<&'b [HmmPfn]> {
        if self.sequence.read_retry(guard) {
            return None;
        }
        // SAFETY: `HmmPfn` is transparent, and of any value.
        Some(unsafe { slice::from_raw_parts(self.pfns.as_ptr().cast(), self.pfns.len()) })
    }

    /// Marks the pages dirty that the process may write: the device may write them, of which its
    /// page-table entries tell nothing, and what is clean is dropped instead of being written to swap
    /// or to its file.
    ///
    /// C: `folio_mark_dirty()`.
    ///
    /// # Safety
    ///
    /// The pages must not have changed since, and not be able to change meanwhile: the notifier's lock
    /// must be held, which has to be one that excludes its callbacks, and [`Self::pages()`] or
    /// [`Sequence::read_retry()`] have said so.
    pub(in crate::rust) unsafe fn mark_dirty(&self) {
        // SAFETY: The entries are of `hmm_range_fault()`, by the type invariants. By the safety
        // requirements the pages are still mapped, and are not unmapped meanwhile, so that they are not
        // freed or truncated.
        unsafe { bindings::rgt_hmm_pfns_mark_dirty(self.pfns.as_ptr(), self.pfns.len()) };
    }
}

/// Returns room for the pages of a range. `EINVAL` if it is empty, not of whole pages, or not in that
/// of the notifier.
fn room<T: IntervalOps>(
    notifier: &IntervalNotifier<T>,
    range: &Range<usize>,
) -> Result<KVVec<usize>> {
    let all = notifier.range();

    if range.is_empty()
        || (range.start | range.end) % PAGE_SIZE != 0
        || range.start < all.start
        || range.end > all.end
    {
        return Err(EINVAL);
    }
    Ok(KVVec::from_elem(
        0,
        range.len() >> PAGE_SHIFT,
        GFP_KERNEL_ACCOUNT,
    )?)
}

/// Returns the arguments of `hmm_range_fault()` for a range, to which `pfns` belongs.
fn raw<T: IntervalOps>(
    notifier: &IntervalNotifier<T>,
    range: Range<usize>,
    pfns: &mut KVVec<usize>,
) -> bindings::hmm_range {
    bindings::hmm_range {
        notifier: notifier.as_raw(),
        start: range.start,
        end: range.end,
        hmm_pfns: pfns.as_mut_ptr(),
        ..pin_init::zeroed()
    }
}
