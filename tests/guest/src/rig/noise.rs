// SPDX-License-Identifier: GPL-2.0

//! Data and decisions that look random and are the same in every run.

/// Data that looks like noise and depends on a seed.
pub(crate) fn noise(seed: u32, dwords: usize) -> Vec<u32> {
    let mut dice = Dice::new(seed);
    (0..dwords).map(|_| dice.roll()).collect()
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Dice(u32);

impl Dice {
    /// Numbers that depend on a seed.
    pub(crate) fn new(seed: u32) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9) | 1)
    }

    /// Any number but 0.
    pub(crate) fn roll(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// A number below a limit.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        self.roll() % limit
    }
}
