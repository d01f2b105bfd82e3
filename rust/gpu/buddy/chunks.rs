// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Sets of chunks.

use core::{
    iter,
    ops::Range, //
};

use kernel::{
    prelude::*,
    ptr::Alignment, //
};

const BITS: u64 = u64::BITS as u64;

/// A set of the chunks of a memory.
///
/// Ranges are in bytes, and stand for the chunks of the memory that are in them as a whole.
pub(super) struct Chunks {
    words: KVVec<u64>,
    /// The number of chunks of the memory.
    total: u64,
    /// The number of chunks in the set.
    len: u64,
    /// Binary logarithm of the size of a chunk in bytes. A division would have a panic for zero,
    /// which objtool takes for a call that returns.
    shift: u32,
}

impl Chunks {
    /// Creates a set of all chunks of a memory of `size` bytes, or of none.
    pub(super) fn new(chunk: Alignment, size: u64, all: bool) -> Result<Self> {
        let shift = chunk.log2();
        let total = size >> shift;
        let words = total.div_ceil(BITS);
        let mut this = Self {
            words: KVVec::from_elem(0, words as usize, GFP_KERNEL)?,
            total,
            len: 0,
            shift,
        };

        if all {
            this.add(0..size);
        }
        Ok(this)
    }

    /// Returns the bytes of the chunks in the set.
    pub(super) fn bytes(&self) -> u64 {
        self.len << self.shift
    }

    /// Adds the chunks of a range.
    pub(super) fn add(&mut self, range: Range<u64>) {
        for (word, mask) in masks(self.chunks(range)) {
            let word = &mut self.words[word];

            self.len += u64::from((mask & !*word).count_ones());
            *word |= mask;
        }
    }

    /// Removes the chunks of a range.
    pub(super) fn remove(&mut self, range: Range<u64>) {
        for (word, mask) in masks(self.chunks(range)) {
            let word = &mut self.words[word];

            self.len -= u64::from((mask & *word).count_ones());
            *word &= !mask;
        }
    }

    /// Removes all chunks.
    pub(super) fn clear(&mut self) {
        self.words.fill(0);
        self.len = 0;
    }

    /// Returns how many bytes of a range are of chunks in the set.
    pub(super) fn bytes_in(&self, range: Range<u64>) -> u64 {
        if self.len == 0 {
            return 0;
        }
        let counts = masks(self.chunks(range)).map(|(word, mask)| self.words[word] & mask);

        counts.map(|word| u64::from(word.count_ones())).sum::<u64>() << self.shift
    }

    /// Returns the part of a range, from its start on, that is in the set, or that is not: whether
    /// it is, and its length in bytes. The range must have a chunk.
    pub(super) fn part(&self, range: Range<u64>) -> (bool, u64) {
        let chunks = self.chunks(range);
        let word = |index: usize| self.words[index];
        let is_in = find(word, chunks.clone(), true) == chunks.start;
        let end = find(word, chunks.clone(), !is_in);

        (is_in, (end - chunks.start) << self.shift)
    }

    /// Returns the extents in a range that are in the set, in their order.
    pub(super) fn extents(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        self.runs(range, |index| self.words[index])
    }

    /// Returns the extents in a range that are in the set, but not in another of the same memory.
    pub(super) fn extents_without<'a>(
        &'a self,
        other: &'a Self,
        range: Range<u64>,
    ) -> impl Iterator<Item = Range<u64>> + 'a {
        self.runs(range, |index| self.words[index] & !other.words[index])
    }

    /// Returns the extents in a range whose bits are set in the words.
    fn runs<'a>(
        &self,
        range: Range<u64>,
        word: impl Fn(usize) -> u64 + 'a,
    ) -> impl Iterator<Item = Range<u64>> + 'a {
        let shift = self.shift;
        let mut left = self.chunks(range);

        iter::from_fn(move || {
            let start = find(&word, left.clone(), true);
            let end = find(&word, start..left.end, false);

            left.start = end;
            (start < end).then_some(start << shift..end << shift)
        })
    }

    /// Returns the numbers of the chunks of a range.
    fn chunks(&self, range: Range<u64>) -> Range<u64> {
        let part = range.start & ((1 << self.shift) - 1);
        let start = (range.start >> self.shift) + u64::from(part != 0);

        start..(range.end >> self.shift).min(self.total)
    }
}

/// Returns the words that have bits of a range, with a mask of those.
fn masks(range: Range<u64>) -> impl Iterator<Item = (usize, u64)> {
    let mut at = range.start;

    iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        let (word, bit) = (at / BITS, at % BITS);
        let bits = (BITS - bit).min(range.end - at);

        at += bits;
        Some((word as usize, (u64::MAX >> (BITS - bits)) << bit))
    })
}

/// Returns the first bit of a range that is set in the words, or that is not; the end of the range
/// if there is none.
fn find(word: impl Fn(usize) -> u64, range: Range<u64>, set: bool) -> u64 {
    let found = masks(range.clone()).find_map(|(index, mask)| {
        let bits = if set { word(index) } else { !word(index) } & mask;

        (bits != 0).then(|| index as u64 * BITS + u64::from(bits.trailing_zeros()))
    });

    found.unwrap_or(range.end.max(range.start))
}
