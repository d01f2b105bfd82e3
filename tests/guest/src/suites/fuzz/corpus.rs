// SPDX-License-Identifier: GPL-2.0

//! The sequences of calls that came to a place in the driver where none had come before: what is like
//! them is likely to come to more.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::rig::Dice;

/// The longest script that is kept.
const LONGEST: usize = 1 << 12;

/// Scripts, and the places that they come to.
pub(super) struct Corpus {
    folder: PathBuf,
    places: HashSet<u64>,
    scripts: Vec<Vec<u32>>,
}

impl Corpus {
    /// Loads the corpus from the files of a folder.
    pub(super) fn load(folder: &Path) -> Result<Self> {
        let mut this = Self {
            folder: folder.to_owned(),
            places: HashSet::new(),
            scripts: vec![],
        };
        for entry in fs::read_dir(folder)? {
            let words = fs::read(entry?.path())?;
            let (words, _) = words.as_chunks();
            this.take(words);
        }
        Ok(this)
    }

    /// Takes what a file has: pairs of the length of a list and the list, first of the places and then
    /// of each script. The process may have been killed while it wrote that.
    fn take(&mut self, words: &[[u8; 4]]) {
        let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
        let mut list = || -> Option<Vec<u32>> {
            let len = words.next()? as usize;
            Some(words.by_ref().take(len).collect())
        };
        let places = list().unwrap_or_default();
        let (pairs, _) = places.as_chunks();
        self.places.extend(
            pairs
                .iter()
                .map(|[low, high]| u64::from(*high) << 32 | u64::from(*low)),
        );
        self.scripts.extend(std::iter::from_fn(list));
    }

    /// Writes all of it to a file of the folder.
    pub(super) fn save(&self, name: &str) -> Result<()> {
        let places = self.places.iter();
        let places = places.flat_map(|place| [*place as u32, (*place >> 32) as u32]);
        let mut words = vec![2 * self.places.len() as u32];
        words.extend(places);
        for script in &self.scripts {
            words.push(script.len() as u32);
            words.extend(script);
        }
        let bytes: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Ok(fs::write(self.folder.join(name), bytes)?)
    }

    /// Returns how many places there are.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// Returns what to begin with: nothing, or what is like a script.
    pub(super) fn script(&self, dice: &mut Dice) -> Vec<u32> {
        if self.scripts.is_empty() || dice.below(4) == 0 {
            return vec![];
        }
        let mut script = self.any(dice).to_vec();
        let len = script.len() as u32;
        match dice.below(4) {
            // Another end.
            0 => script.truncate(dice.below(len) as usize),
            // The end of another one.
            1 => {
                let other = self.any(dice);
                script.truncate(dice.below(len) as usize);
                script.extend(&other[dice.below(other.len() as u32) as usize..]);
                script.truncate(LONGEST);
            }
            _ => {
                for _ in 0..=dice.below(4) {
                    script[dice.below(len) as usize] = dice.roll();
                }
            }
        }
        script
    }

    fn any(&self, dice: &mut Dice) -> &[u32] {
        &self.scripts[dice.below(self.scripts.len() as u32) as usize]
    }

    /// Keeps a script if it came to a new place.
    pub(super) fn learn(&mut self, places: impl Iterator<Item = u64>, script: &[u32]) {
        let known = self.places.len();
        self.places.extend(places);
        if self.places.len() != known && (1..LONGEST).contains(&script.len()) {
            self.scripts.push(script.to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Corpus;
    use crate::rig::Dice;

    #[test]
    fn what_came_to_a_new_place_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut corpus = Corpus::load(folder.path()).unwrap();
        assert!(corpus.script(&mut Dice::new(1)).is_empty());
        let far = u64::MAX - 5;
        corpus.learn([far, 7].into_iter(), &[1, 2, 3]);
        corpus.learn([7].into_iter(), &[4]);
        corpus.learn([8].into_iter(), &[5, 6]);
        corpus.save("a").unwrap();

        let again = Corpus::load(folder.path()).unwrap();
        assert_eq!(again.places, [far, 7, 8].into());
        assert_eq!(again.scripts, [vec![1, 2, 3], vec![5, 6]]);
    }
}
