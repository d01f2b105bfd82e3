// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Facts about the machine's memory.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use kernel::page::PAGE_SHIFT;

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
