// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Chunks that are never handed out again.

use kernel::{
    error::to_result,
    interop::list::CListHead,
    prelude::*, //
};
use pin_init::stack_pin_init;

use super::spare::Spares;
use crate::rust::bindings;

/// The retired chunks of an allocator.
///
/// # Invariants
///
/// `blocks` are blocks of one chunk that the allocator has allocated and that are not in use; they
/// are in no list.
pub(super) struct Retired {
    blocks: KVec<*mut bindings::gpu_buddy_block>,
    /// Offsets of the chunks that are still in use.
    awaited: KVec<u64>,
}

// SAFETY: The blocks belong to no thread.
unsafe impl Send for Retired {}

impl Retired {
    /// Creates an empty list.
    pub(super) const fn new() -> Self {
        // INVARIANT: There are none.
        Self {
            blocks: KVec::new(),
            awaited: KVec::new(),
        }
    }

    /// Returns the number of them.
    pub(super) fn len(&self) -> usize {
        self.blocks.len() + self.awaited.len()
    }

    /// Returns the offset of each chunk, and whether the chunk is still in use.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, bool)> + '_ {
        let gone = self.blocks.iter().map(|&block| {
            // SAFETY: By the type invariants it is an allocated block.
            (unsafe { bindings::gpu_buddy_block_offset(block) }, false)
        });
        let awaited = self.awaited.iter().map(|&offset| (offset, true));
        Iterator::chain(gone, awaited)
    }

    /// Retires a chunk, now or when it is freed. Returns whether it is still in use.
    ///
    /// # Safety
    ///
    /// `raw` must be the allocator, locked, with these spare chunks. A chunk of `chunk` bytes must
    /// start at `offset`.
    pub(super) unsafe fn add(
        &mut self,
        raw: *mut bindings::gpu_buddy,
        spares: &mut Spares,
        chunk: u64,
        offset: u64,
    ) -> Result<bool> {
        if let Some((_, in_use)) = self.iter().find(|(known, _)| *known == offset) {
            return Ok(in_use);
        }
        // So that one that is awaited can be taken without that.
        self.blocks.reserve(self.awaited.len() + 1, GFP_KERNEL)?;
        self.awaited.push(offset, GFP_KERNEL)?;
        // SAFETY: By the safety requirements.
        unsafe { self.catch_up(raw, spares, chunk) };
        Ok(self.awaited.contains(&offset))
    }

    /// Takes the chunks out of use that were freed meanwhile. To be called when something was,
    /// before the allocator is unlocked.
    ///
    /// # Safety
    ///
    /// `raw` must be the allocator, locked, with these spare chunks, and `chunk` the bytes of one.
    pub(super) unsafe fn catch_up(
        &mut self,
        raw: *mut bindings::gpu_buddy,
        spares: &mut Spares,
        chunk: u64,
    ) {
        let Self { blocks, awaited } = self;

        awaited.retain(|&mut offset| {
            // SAFETY: By the safety requirements.
            let Some(block) = (unsafe { take(raw, spares, chunk, offset) }) else {
                return true;
            };
            // INVARIANT: The block was just allocated. `add()` has made room.
            blocks.push_within_capacity(block).is_err()
        });
    }

    /// Frees all chunks, for an allocator that is about to be destroyed.
    ///
    /// # Safety
    ///
    /// `raw` must be the allocator, locked.
    pub(super) unsafe fn free(&mut self, raw: *mut bindings::gpu_buddy) {
        for &block in &self.blocks {
            // SAFETY: By the safety requirements, and by the type invariants.
            unsafe { bindings::gpu_buddy_free_block(raw, block) };
        }
        // INVARIANT: There are none.
        self.blocks.clear();
    }
}

/// Allocates the chunk at `offset`, if it is free. It is in no list.
///
/// # Safety
///
/// As for [`Retired::catch_up()`].
unsafe fn take(
    raw: *mut bindings::gpu_buddy,
    spares: &mut Spares,
    chunk: u64,
    offset: u64,
) -> Option<*mut bindings::gpu_buddy_block> {
    let range = offset..offset + chunk;
    if let Some(block) = spares.take(&range) {
        return Some(block);
    }

    stack_pin_init!(let list = CListHead::new());
    // SAFETY: By the safety requirements the allocator is locked; `list` is an empty list, and
    // stays one when this fails.
    to_result(unsafe {
        bindings::gpu_buddy_alloc_blocks(
            raw,
            range.start,
            range.end,
            chunk,
            chunk,
            list.as_raw(),
            bindings::GPU_BUDDY_RANGE_ALLOCATION,
        )
    })
    .ok()?;
    // SAFETY: The list has the one block of one chunk that was asked for, which is in no other.
    unsafe {
        let block = bindings::rgt_gpu_buddy_single_chunk(list.as_raw());
        bindings::rgt_gpu_buddy_block_unlink(block, false);
        Some(block)
    }
}
