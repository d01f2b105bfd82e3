// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Facts about the machine's memory.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::rust::bindings;
use kernel::page::PAGE_SHIFT;

/// Returns the bytes of memory that the page allocator manages.
///
/// C: `totalram_pages()`.
pub fn total_ram() -> u64 {
    // SAFETY: It may always be called.
    (unsafe { bindings::rgt_totalram_pages() } as u64) << PAGE_SHIFT
}
