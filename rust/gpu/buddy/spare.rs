// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Single chunks that stay allocated for a while when they are freed.
//!
//! While little else is allocated, the allocator splits the largest block down to a chunk each time
//! that one is requested, and merges all of the buddies when it is freed. That costs far more than
//! anything else about a small allocation. As with the pages that the kernel keeps for each CPU,
//! the chunk that was freed last is what the next one gets.

use core::ops::Range;

use kernel::{
    gpu::buddy::AllocatedBlocks,
    prelude::*, //
};

/// The largest number of them: they keep larger blocks from being whole.
const MOST: usize = 4;

/// The spare chunks of an allocator.
///
/// # Invariants
///
/// Each is one block of one chunk. The ones that there are come first, in the order that they were
/// freed in.
pub(super) struct Spares([Option<Pin<KBox<AllocatedBlocks>>>; MOST]);

impl Spares {
    /// Creates an empty list.
    pub(super) const fn new() -> Self {
        Self([const { None }; MOST])
    }

    /// Returns whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }

    /// Takes the chunk that was freed last among those that start in `range`.
    pub(super) fn take(&mut self, range: &Range<u64>) -> Option<Pin<KBox<AllocatedBlocks>>> {
        let starts_there = |chunk: &Option<Pin<KBox<AllocatedBlocks>>>| {
            let block = chunk.as_ref().and_then(|chunk| chunk.iter().next());

            block.is_some_and(|block| range.contains(&block.offset()))
        };
        let index = self.0.iter().rposition(starts_there)?;

        self.remove(index)
    }

    /// Removes a chunk. Those that were freed later move up.
    fn remove(&mut self, index: usize) -> Option<Pin<KBox<AllocatedBlocks>>> {
        let chunk = self.0[index].take();

        self.0[index..].rotate_left(1);
        chunk
    }

    /// Takes blocks that are freed: keeps a single chunk, for which the oldest one goes if there
    /// are enough, and gives others back.
    pub(super) fn put(&mut self, blocks: Pin<KBox<AllocatedBlocks>>) {
        if !is_single_chunk(&blocks) {
            return;
        }
        if self.0[MOST - 1].is_some() {
            self.remove(0);
        }
        if let Some(free) = self.0.iter_mut().find(|chunk| chunk.is_none()) {
            *free = Some(blocks);
        }
    }

    /// Gives all of them back.
    pub(super) fn flush(&mut self) {
        *self = Self::new();
    }
}

fn is_single_chunk(blocks: &AllocatedBlocks) -> bool {
    let mut blocks = blocks.iter();

    blocks.next().is_some_and(|block| block.order() == 0) && blocks.next().is_none()
}
