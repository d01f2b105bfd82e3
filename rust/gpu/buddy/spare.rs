// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Single chunks that stay allocated for a while when they are freed.
//!
//! While little else is allocated, the allocator splits the largest block down to a chunk each time
//! that one is requested, and merges all of the buddies when it is freed. That costs far more than
//! anything else about a small allocation. As with the pages that the kernel keeps for each CPU,
//! the chunk that was freed last is what the next one gets.

use core::{
    ops::Range,
    ptr, //
};

use kernel::prelude::*;

use crate::rust::bindings;

/// The largest number of them: they keep larger blocks from being whole.
const MOST: usize = 4;

/// The spare chunks of an allocator.
///
/// # Invariants
///
/// The first `len` of `blocks` are blocks of one chunk that the allocator has allocated and that
/// are not in use; they are in no list. Their flags say whether they are known to be zero.
pub(super) struct Spares {
    blocks: [*mut bindings::gpu_buddy_block; MOST],
    len: usize,
}

// SAFETY: The blocks belong to no thread.
unsafe impl Send for Spares {}

impl Spares {
    /// Creates an empty list.
    pub(super) const fn new() -> Self {
        // INVARIANT: There are none.
        Self {
            blocks: [ptr::null_mut(); MOST],
            len: 0,
        }
    }

    /// Returns whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the chunk that was freed last among those that start in `range`. It is allocated and
    /// in no list.
    pub(super) fn take(&mut self, range: &Range<u64>) -> Option<*mut bindings::gpu_buddy_block> {
        let index = self.blocks[..self.len].iter().rposition(|&block| {
            // SAFETY: By the type invariants it is a block.
            range.contains(&unsafe { bindings::gpu_buddy_block_offset(block) })
        })?;

        Some(self.remove(index))
    }

    /// Removes a chunk. Those that were freed later move up.
    fn remove(&mut self, index: usize) -> *mut bindings::gpu_buddy_block {
        let block = self.blocks[index];

        // INVARIANT: The others stay, in their order.
        self.blocks.copy_within(index + 1..self.len, index);
        self.len -= 1;
        block
    }

    /// Keeps a chunk that is freed, for which the oldest one goes if there are enough.
    ///
    /// # Safety
    ///
    /// `raw` must be the allocator, locked, and `block` a block of one chunk that it has allocated,
    /// in no list, and not in use any more; its flags say whether it is known to be zero.
    pub(super) unsafe fn put(
        &mut self,
        raw: *mut bindings::gpu_buddy,
        block: *mut bindings::gpu_buddy_block,
    ) {
        if self.len == MOST {
            let oldest = self.remove(0);
            // SAFETY: By the safety requirements the allocator is locked; by the type invariants
            // the block is one that it has allocated.
            unsafe { bindings::gpu_buddy_free_block(raw, oldest) };
        }
        // INVARIANT: By the safety requirements.
        self.blocks[self.len] = block;
        self.len += 1;
    }

    /// Frees all of them.
    ///
    /// # Safety
    ///
    /// `raw` must be the allocator, locked.
    pub(super) unsafe fn flush(&mut self, raw: *mut bindings::gpu_buddy) {
        for &block in &self.blocks[..self.len] {
            // SAFETY: As in `put()`.
            unsafe { bindings::gpu_buddy_free_block(raw, block) };
        }
        // INVARIANT: There are none.
        self.len = 0;
    }
}
