// SPDX-License-Identifier: MIT

//! Where BOs are, and what must have been moved for them to be there.

use anyhow::Result;
use rgt::{Bo, Placement};

/// The places of some BOs, looked at again and again.
pub(crate) struct Places {
    last: Vec<Placement>,
    /// Bytes that were brought into VRAM, with content.
    pub(crate) moved_in: u64,
    /// Bytes that were taken out of it.
    pub(crate) moved_out: u64,
}

impl Places {
    /// Nothing has moved yet.
    pub(crate) fn new(bos: &[Bo]) -> Result<Self> {
        Ok(Self {
            last: places(bos)?,
            moved_in: 0,
            moved_out: 0,
        })
    }

    /// Counts what has moved since the last look.
    pub(crate) fn look(&mut self, bos: &[Bo]) -> Result<()> {
        let now = places(bos)?;
        for ((bo, last), now) in bos.iter().zip(&self.last).zip(&now) {
            match (*last, *now) {
                (Placement::VRAM, now) if now != Placement::VRAM => self.moved_out += bo.size(),
                // What had no backing was made there.
                (last, Placement::VRAM) if last != Placement::VRAM && !last.is_empty() => {
                    self.moved_in += bo.size();
                }
                _ => {}
            }
        }
        self.last = now;
        Ok(())
    }
}

fn places(bos: &[Bo]) -> Result<Vec<Placement>> {
    bos.iter()
        .map(|bo| Ok(bo.info()?.current_placement))
        .collect()
}
