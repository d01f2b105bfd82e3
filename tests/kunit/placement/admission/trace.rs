// SPDX-License-Identifier: GPL-2.0

//! Sequences of uses.

use core::ops::Range;

use kernel::prelude::*;

use super::model::{
    Model,
    Rule,
    Where, //
};

/// BOs with their sizes, and the order in which they are used.
pub(super) struct Trace {
    sizes: KVVec<u64>,
    uses: KVVec<usize>,
}

impl Trace {
    /// No use yet of `count` BOs of `size` bytes each.
    pub(super) fn new(count: usize, size: u64) -> Result<Self> {
        Ok(Self {
            sizes: KVVec::from_elem(size, count, GFP_KERNEL)?,
            uses: KVVec::new(),
        })
    }

    pub(super) fn sizes(&self) -> &[u64] {
        &self.sizes
    }

    pub(super) fn uses(&self) -> &[usize] {
        &self.uses
    }

    /// Gives a BO another size.
    pub(super) fn resize(&mut self, bo: usize, size: u64) {
        self.sizes[bo] = size;
    }

    /// Uses a BO.
    pub(super) fn touch(&mut self, bo: usize) -> Result {
        Ok(self.uses.push(bo, GFP_KERNEL)?)
    }

    /// Uses BOs one after the other, in so many rounds.
    pub(super) fn rounds(&mut self, bos: Range<usize>, rounds: usize) -> Result {
        for _ in 0..rounds {
            for bo in bos.clone() {
                self.touch(bo)?;
            }
        }
        Ok(())
    }

    /// Returns the bytes that are moved in so much VRAM.
    pub(super) fn moved(&self, capacity: u64, rule: Rule, place: Where) -> Result<u64> {
        let mut model = Model::new(capacity, rule, place, &self.sizes)?;
        for &bo in &self.uses {
            model.touch(bo)?;
        }
        Ok(model.moved())
    }
}

/// Numbers that look random and are the same in every run (xorshift, Marsaglia 2003).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
