// SPDX-License-Identifier: GPL-2.0

//! Choices of the generator, recorded so that a sequence of calls can be replayed and mutated.

use crate::rig::Dice;

/// Numbers, those of a script first and random ones then, and all of them again as a script.
pub(super) struct Choices {
    dice: Dice,
    script: Vec<u32>,
    made: Vec<u32>,
}

impl Choices {
    /// Random ones, which depend on a seed.
    pub(super) fn new(seed: u32) -> Self {
        Self {
            dice: Dice::new(seed),
            script: vec![],
            made: vec![],
        }
    }

    /// Begins with a script.
    pub(super) fn begin(&mut self, script: Vec<u32>) {
        self.script = script;
        self.made.clear();
    }

    /// Returns all since the beginning.
    pub(super) fn made(&self) -> &[u32] {
        &self.made
    }

    /// Any number.
    pub(super) fn roll(&mut self) -> u32 {
        let next = self.script.get(self.made.len()).copied();
        let number = next.unwrap_or_else(|| self.dice.roll());
        self.made.push(number);
        number
    }

    /// A number below a limit.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.roll() % limit
    }
}
