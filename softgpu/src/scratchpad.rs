// SPDX-License-Identifier: GPL-2.0

//! The scratchpad: a little memory on the chip, for engines only.

use anyhow::Context;
use vm_memory::{MmapRegion, VolatileMemory, VolatileSlice};

use crate::poison::Poison;

/// The scratchpad, if the GPU has one.
pub struct Scratchpad {
    map: Option<MmapRegion>,
}

impl Scratchpad {
    /// Makes a scratchpad of `size` bytes; of none if that is 0.
    pub fn new(size: u64) -> anyhow::Result<Self> {
        let map = match usize::try_from(size).context("the scratchpad does not fit this machine")? {
            0 => None,
            size => Some(
                MmapRegion::new(size)
                    .with_context(|| format!("cannot make {size} bytes of scratchpad"))?,
            ),
        };
        Ok(Self { map })
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.map.as_ref().map_or(0, |map| map.size() as u64)
    }

    /// The memory from `offset`: `length` bytes or as many as there are; none outside of it.
    pub fn slice(&self, offset: u64, length: u64) -> Option<VolatileSlice<'_>> {
        let length = length.min(self.size().checked_sub(offset)?);
        if length == 0 {
            return None;
        }
        let map = self.map.as_ref()?;
        map.get_slice(offset as usize, length as usize).ok()
    }

    /// Poisons the content.
    pub fn lose(&self, seed: u64) {
        if let Some(all) = self.slice(0, self.size()) {
            Poison::new(seed).fill(&all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vm_memory::Bytes;

    #[test]
    fn bounds_and_content() {
        let scratchpad = Scratchpad::new(8192).unwrap();
        assert_eq!(scratchpad.size(), 8192);
        assert!(scratchpad.slice(8192, 1).is_none());
        assert!(scratchpad.slice(u64::MAX, 1).is_none());
        let last = scratchpad.slice(8188, 100).unwrap();
        assert_eq!(last.len(), 4);
        last.write_obj(7u32, 0).unwrap();
        scratchpad.lose(1);
        assert!(![0, 7].contains(&last.read_obj::<u32>(0).unwrap()));
    }

    #[test]
    fn none() {
        let scratchpad = Scratchpad::new(0).unwrap();
        assert!(scratchpad.slice(0, 1).is_none());
        scratchpad.lose(1);
    }
}
