// SPDX-License-Identifier: MIT

//! Where BOs are, and what must have been moved for them to be there.

use anyhow::Result;
use rgt::{Bo, Placement};

/// The places of some BOs, looked at again and again.
pub(crate) struct Places {
    last: Vec<Placement>,
    moved: u64,
}

impl Places {
    /// Nothing has moved yet.
    pub(crate) fn new(bos: &[Bo]) -> Result<Self> {
        Ok(Self {
            last: places(bos)?,
            moved: 0,
        })
    }

    /// Bytes that were brought into VRAM or taken out of it.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// Counts what has moved since the last look.
    pub(crate) fn look(&mut self, bos: &[Bo]) -> Result<()> {
        let now = places(bos)?;
        for ((bo, last), now) in bos.iter().zip(&self.last).zip(&now) {
            let crossed = (*last == Placement::VRAM) != (*now == Placement::VRAM);
            // A BO without backing was made where it is.
            if crossed && !last.is_empty() {
                self.moved += bo.size();
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
