// SPDX-License-Identifier: GPL-2.0

//! The poison that takes the place of content that memory has lost: neither the old content nor
//! zeros, so that software that relies on either fails.

use vm_memory::VolatileSlice;

/// Bytes after which the poison repeats. Large enough to be copied fast.
const BLOCK: usize = 64 << 10;

/// A block of pseudorandom bytes.
pub(crate) struct Poison(Vec<u8>);

impl Poison {
    /// Generates the block of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        // SplitMix64.
        let words = (1..=BLOCK as u64 / 8).map(|index| {
            let step = seed.wrapping_mul(BLOCK as u64).wrapping_add(index);
            let mut word = step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^ word >> 31
        });
        Self(words.flat_map(u64::to_le_bytes).collect())
    }

    /// Fills memory with the block.
    pub(crate) fn fill(&self, memory: &VolatileSlice<'_>) {
        for start in (0..memory.len()).step_by(BLOCK) {
            let length = BLOCK.min(memory.len() - start);
            if let Ok(piece) = memory.subslice(start, length) {
                piece.copy_from(&self.0[..length]);
            }
        }
    }
}
