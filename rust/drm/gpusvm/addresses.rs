// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The DMA addresses of pages.

use core::{
    iter,
    ops::Range, //
};

use kernel::{
    dma::DmaAddress,
    page::PAGE_SIZE, //
};

use crate::rust::bindings;

/// The DMA addresses of pages of a process, while these cannot change.
///
/// They go with the lock:
///
/// ```compile_fail,E0521
/// # use crate::rust::drm::gpusvm::{UserPages, UserPagesOps};
/// fn keep_the_addresses<T: UserPagesOps>(pages: &UserPages<T>) -> bool {
///     let mut kept = None;
///     pages.with_addresses(|addresses| kept = Some(addresses));
///     kept.is_some()
/// }
/// ```
///
/// And so do their runs:
///
/// ```compile_fail,E0521
/// # use crate::rust::drm::gpusvm::{UserPages, UserPagesOps};
/// fn keep_the_runs<T: UserPagesOps>(pages: &UserPages<T>) -> usize {
///     let mut kept = None;
///     pages.with_addresses(|addresses| kept = Some(addresses.runs()));
///     kept.map_or(0, |runs| runs.count())
/// }
/// ```
pub struct PageAddresses<'a> {
    /// One for each run of pages that are mapped together, in order, and perhaps some more.
    entries: &'a [bindings::drm_pagemap_addr],
    size: u64,
    is_writable: bool,
}

impl<'a> PageAddresses<'a> {
    /// Returns those of `size` bytes.
    pub(crate) fn new(
        entries: &'a [bindings::drm_pagemap_addr],
        size: usize,
        is_writable: bool,
    ) -> Self {
        Self {
            entries,
            size: size as u64,
            is_writable,
        }
    }

    /// Returns whether the device may write the pages.
    pub fn is_writable(&self) -> bool {
        self.is_writable
    }

    /// Returns the runs of pages that are together, in order: the bytes of each, counted from the
    /// first page, and the address of its first one.
    pub fn runs(&self) -> impl Iterator<Item = (Range<u64>, DmaAddress)> + 'a {
        let (entries, size) = (self.entries, self.size);
        let mut at = 0;
        let mut pages = entries
            .iter()
            .map_while(move |entry| {
                let start = at;
                at += (PAGE_SIZE as u64) << entry.order();
                (start < size).then(|| (start..at.min(size), entry.addr))
            })
            .peekable();

        iter::from_fn(move || {
            let (mut bytes, first) = pages.next()?;
            while let Some((next, _)) =
                pages.next_if(|(next, address)| *address == first + (next.start - bytes.start))
            {
                bytes.end = next.end;
            }
            Some((bytes, first))
        })
    }
}
