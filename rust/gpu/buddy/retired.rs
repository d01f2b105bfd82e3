// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Chunks that are never handed out again.

use kernel::{
    gpu::buddy::{
        AllocatedBlocks,
        GpuBuddyAllocMode, //
    },
    prelude::*, //
};

use super::{
    Inner,
    Known,
    Request, //
};

/// The retired chunks of an allocator.
pub(super) struct Retired {
    /// Those that are not in use any more, and their offsets.
    chunks: KVec<(u64, Pin<KBox<AllocatedBlocks>>)>,
    /// Offsets of the chunks that are still in use.
    awaited: KVec<u64>,
}

impl Retired {
    /// Creates an empty list.
    pub(super) const fn new() -> Self {
        Self {
            chunks: KVec::new(),
            awaited: KVec::new(),
        }
    }

    /// Returns the number of them.
    pub(super) fn len(&self) -> usize {
        self.chunks.len() + self.awaited.len()
    }

    /// Returns the offset of each chunk, and whether the chunk is still in use.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, bool)> + '_ {
        let gone = self.chunks.iter().map(|&(offset, _)| (offset, false));
        let awaited = self.awaited.iter().map(|&offset| (offset, true));

        Iterator::chain(gone, awaited)
    }

    /// Retires the chunk that starts at `offset`, now or when it is freed. Returns whether it is
    /// still in use. `known` is that of `buddy`.
    pub(super) fn add(buddy: &Inner, known: &mut Known, offset: u64) -> Result<bool> {
        let this = &mut known.retired;

        if let Some((_, in_use)) = this.iter().find(|(known, _)| *known == offset) {
            return Ok(in_use);
        }
        // So that one that is awaited can be taken without that.
        this.chunks.reserve(this.awaited.len() + 1, GFP_KERNEL)?;
        this.awaited.push(offset, GFP_KERNEL)?;
        Self::catch_up(buddy, known);
        Ok(known.retired.awaited.contains(&offset))
    }

    /// Takes the chunks out of use that were freed meanwhile. To be called when something was,
    /// before `known`, which is that of `buddy`, is unlocked.
    pub(super) fn catch_up(buddy: &Inner, known: &mut Known) {
        let Known {
            free,
            zero,
            spares,
            retired: Self { chunks, awaited },
        } = known;

        awaited.retain(|&mut offset| {
            let range = offset..offset + buddy.chunk_size();
            let request = Request {
                mode: GpuBuddyAllocMode::Range(range.clone()),
                size: buddy.chunk_size(),
                min_block: buddy.buddy.chunk_size(),
                preferred: None,
                contiguous: false,
                zeroed: false,
            };
            let taken = match spares.take(&range) {
                Some(chunk) => Ok(chunk),
                None => request.alloc(&buddy.buddy, request.mode.clone()),
            };
            let Ok(chunk) = taken else {
                return true;
            };

            free.remove(range.clone());
            zero.remove(range);
            // `add()` has made room.
            chunks.push_within_capacity((offset, chunk)).is_err()
        });
    }
}
