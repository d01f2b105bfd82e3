// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The state of an allocator, for people.

use kernel::{
    prelude::*,
    sizes::SZ_1M, //
};

use super::Buddy;
use crate::rust::drm::print::{
    drm_printf,
    Printer, //
};

impl Buddy {
    /// Prints how much is free, and the free blocks of each order.
    ///
    /// C: `drm_buddy_print()`, which has the used blocks, too.
    pub fn print(&self, out: &Printer<'_>) -> Result {
        let blocks = self.free_blocks()?;

        drm_printf!(
            out,
            "chunk_size: {}KiB, total: {}MiB, free: {}MiB, clear_free: {}MiB\n",
            self.chunk_size() >> 10,
            self.size() >> 20,
            self.free() >> 20,
            self.cleared() >> 20
        );
        for (order, &count) in blocks.iter().enumerate().rev() {
            let size = self.chunk_size() << order;
            let (unit, shift) = if size < SZ_1M as u64 {
                ("KiB", 10)
            } else {
                ("MiB", 20)
            };

            drm_printf!(
                out,
                "order-{order:2} free: {:8} {unit}, free_blocks: {count}\n",
                (count * size) >> shift
            );
        }
        Ok(())
    }
}
