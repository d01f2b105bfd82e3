// SPDX-License-Identifier: GPL-2.0

//! BOs whose places are watched.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use rgt::{Bo, Placement, Region, RegionKind};

use crate::rig::{MIB, Make, Rig};

/// Size of a BO.
pub(super) const CHUNK: u64 = 16 * MIB;

/// Time in which a chunk can come back to VRAM and another leave it, at the default rate.
const PACE: Duration = Duration::from_millis(40);

pub(super) fn vram(rig: &Rig) -> Result<Region> {
    rig.device
        .region(RegionKind::Vram)?
        .context("there is VRAM")
}

/// Chunks that VRAM has room for.
pub(super) fn capacity(rig: &Rig) -> Result<usize> {
    let vram = vram(rig)?;
    Ok(((vram.size - vram.used) / CHUNK) as usize)
}

pub(super) fn in_vram(bo: &Bo) -> Result<bool> {
    Ok(bo.info()?.current_placement == Placement::VRAM)
}

/// A set of BOs of the same kind.
pub(super) struct Watched<'a> {
    rig: &'a Rig,
    bos: Vec<Bo>,
    /// Where they were at the last look; nothing before the first use.
    places: Vec<Placement>,
    /// Chunks that were copied into VRAM or out of it.
    moves: u64,
}

impl<'a> Watched<'a> {
    pub(super) fn new(rig: &'a Rig, count: usize, make: Make) -> Result<Self> {
        let bos = (0..count)
            .map(|_| rig.bo(CHUNK, make))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            rig,
            places: vec![Placement::empty(); bos.len()],
            bos,
            moves: 0,
        })
    }

    pub(super) fn bos(&self) -> &[Bo] {
        &self.bos
    }

    /// Has a job use a BO.
    pub(super) fn touch(&mut self, number: usize) -> Result<()> {
        let mut work = self.rig.work(self.rig.copy)?;
        let at = work.writes(&self.bos[number])?;
        work.commands.write(at, &[number as u32])?;
        work.run()?;
        self.look()
    }

    /// Uses all, one after the other, as fast as it goes.
    pub(super) fn round(&mut self) -> Result<()> {
        (0..self.bos.len()).try_for_each(|number| self.touch(number))
    }

    /// Uses all, one after the other, and gives each the time to come back to VRAM.
    pub(super) fn slow_round(&mut self) -> Result<()> {
        (0..self.bos.len()).try_for_each(|number| {
            thread::sleep(PACE);
            self.touch(number)
        })
    }

    /// Sees which have moved.
    pub(super) fn look(&mut self) -> Result<()> {
        for (bo, place) in self.bos.iter().zip(&mut self.places) {
            let now = bo.info()?.current_placement;
            let crossed = (*place == Placement::VRAM) != (now == Placement::VRAM);
            if crossed && !place.is_empty() {
                self.moves += 1;
            }
            *place = now;
        }
        Ok(())
    }

    /// Chunks that moved since the last call.
    pub(super) fn take_moves(&mut self) -> Result<u64> {
        self.look()?;
        Ok(std::mem::take(&mut self.moves))
    }

    /// How many are in VRAM.
    pub(super) fn resident(&self) -> Result<usize> {
        let mut count = 0;
        for bo in &self.bos {
            count += usize::from(in_vram(bo)?);
        }
        Ok(count)
    }
}
