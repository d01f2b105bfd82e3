// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Words of memory that a device may access at any time.

use core::{
    marker::PhantomData,
    ops::Range,
    ptr::NonNull, //
};

use kernel::{
    dma::Coherent,
    sync::atomic::Atomic, //
};

/// Words that are written without a branch in between.
const BATCH: usize = 8;

/// Words of memory that a device, or another CPU, may access at any time: coherent memory, or memory
/// of the device.
///
/// They are written one by one, in ascending order, with fewer checks than `io_write!` makes for each.
/// They are visible to the device after a write barrier.
///
/// # Invariants
///
/// `start` is where there are `len` words, aligned and valid for volatile accesses for `'a`, and to
/// which there are no references.
pub struct SharedWords<'a> {
    start: NonNull<u64>,
    len: usize,
    _memory: PhantomData<&'a ()>,
}

impl<'a, const N: usize> From<&'a Coherent<[u64; N]>> for SharedWords<'a> {
    fn from(memory: &'a Coherent<[u64; N]>) -> Self {
        // SAFETY: It is the memory of an array of as many words, which is not NULL, and to which the
        // owner makes no references.
        unsafe { Self::new(NonNull::new_unchecked(memory.as_mut_ptr().cast()), N) }
    }
}

impl<'a> From<&'a [Atomic<u64>]> for SharedWords<'a> {
    fn from(words: &'a [Atomic<u64>]) -> Self {
        // SAFETY: An atomic integer is a word in a cell, so that there are no references to it.
        unsafe { Self::new(NonNull::from(words).cast(), words.len()) }
    }
}

impl<'a> SharedWords<'a> {
    /// Makes words of the memory at `start`.
    ///
    /// # Safety
    ///
    /// There must be `len` words, aligned and valid for volatile accesses for `'a`, and no references
    /// to them.
    pub(in crate::rust) unsafe fn new(start: NonNull<u64>, len: usize) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            start,
            len,
            _memory: PhantomData,
        }
    }

    /// Writes the words of `range` as `word` says of their index. Those beyond the end are left out.
    pub fn write(&self, range: Range<usize>, word: impl Fn(usize) -> u64) {
        let (mut next, end) = (range.start, range.end.min(self.len));

        while end.saturating_sub(next) >= BATCH {
            for offset in 0..BATCH {
                let index = next.wrapping_add(offset);
                // SAFETY: The index is below `end`.
                unsafe { self.write_one(index, word(index)) };
            }
            next += BATCH;
        }
        for index in next..end {
            // SAFETY: As above.
            unsafe { self.write_one(index, word(index)) };
        }
    }

    /// Writes the words of `range`, here and to their copies in `shadow`, as `word` says of their
    /// index. Those beyond the end of either are left out.
    pub fn write_with_shadow(
        &self,
        range: Range<usize>,
        shadow: &mut [u64],
        word: impl Fn(usize) -> u64,
    ) {
        let end = range.end.min(self.len).min(shadow.len());
        let mut next = range.start;
        let Some(shadow) = shadow.get_mut(next..end) else {
            return;
        };
        let (batches, rest) = shadow.as_chunks_mut::<BATCH>();

        for batch in batches {
            for (offset, copy) in batch.iter_mut().enumerate() {
                let index = next.wrapping_add(offset);
                *copy = word(index);
                // SAFETY: The index is below `end`, as `shadow` is of as many words.
                unsafe { self.write_one(index, *copy) };
            }
            next += BATCH;
        }
        for (index, copy) in (next..end).zip(rest) {
            *copy = word(index);
            // SAFETY: As above.
            unsafe { self.write_one(index, *copy) };
        }
    }

    /// # Safety
    ///
    /// `index` must be less than the number of words.
    unsafe fn write_one(&self, index: usize, word: u64) {
        // SAFETY: By the type invariants and the safety requirements the word is valid. As others may
        // access it, no reference to it exists, and the access is volatile.
        unsafe { self.start.add(index).write_volatile(word) };
    }
}
