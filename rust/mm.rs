// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The memory of the machine and of processes.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

pub mod hmm;
pub mod interval_notifier;

use core::ops::Range;

use kernel::{
    mm::MmapReadGuard,
    page::PAGE_SHIFT, //
};

use crate::rust::bindings;

/// Returns the bytes of memory that the page allocator manages.
///
/// C: `totalram_pages()`.
pub fn total_ram() -> u64 {
    // SAFETY: It may always be called.
    (unsafe { bindings::rgt_totalram_pages() } as u64) << PAGE_SHIFT
}

/// Returns an estimate of the bytes of memory that can be allocated without swapping.
///
/// C: `si_mem_available()`.
pub fn available_ram() -> u64 {
    // SAFETY: It may always be called.
    let pages = unsafe { bindings::rgt_si_mem_available() };

    // CAST: It is not negative then.
    (pages.max(0) as u64) << PAGE_SHIFT
}

/// Returns whether the process has memory in a range that nobody but it may see: that of
/// `memfd_secret()`, which is not in the kernel's page tables, and of which `get_user_pages()` gives
/// no pages either. The first hole ends the search.
pub fn has_secrets(mmap_lock: &MmapReadGuard<'_>, range: &Range<usize>) -> bool {
    let mut at = range.start;

    while at < range.end {
        let Some(vma) = mmap_lock.vma_lookup(at) else {
            return false;
        };
        // SAFETY: The area is valid as long as the lock is held.
        if unsafe { bindings::rgt_vma_is_secretmem(vma.as_ptr()) } {
            return true;
        }
        at = vma.end();
    }
    false
}
