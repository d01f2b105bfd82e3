// SPDX-License-Identifier: GPL-2.0

//! The order in which jobs ran: each takes a number from a counter that all share.

use anyhow::Result;
use rgt::uapi::{DRM_RGT_CS_BO_NO_IMPLICIT, DRM_RGT_CS_BO_WRITE};
use rgt::{Bo, Mapping};

use crate::rig::{Rig, Work};

/// A counter, and a place for each job's number.
pub(super) struct Tally {
    bo: Bo,
    map: Mapping,
}

impl Tally {
    /// For this many jobs. Places hold zeros.
    pub(super) fn new(rig: &Rig, jobs: u64) -> Result<Self> {
        let bo = rig.visible((jobs + 1) * 8)?;
        // It gets its backing here, so that no job has to wait for that.
        rig.fill(&bo, 0)?;
        let map = bo.map()?;
        // The first number is 1: a job that did not run has 0.
        map.write(0, 1);
        Ok(Self { bo, map })
    }

    /// Has a job take its number, without a word to the kernel about the counter.
    pub(super) fn count(&self, work: &mut Work, job: u64) -> Result<()> {
        let flags = DRM_RGT_CS_BO_WRITE | DRM_RGT_CS_BO_NO_IMPLICIT;
        let counter = work.uses(&self.bo, flags)?;
        let place = counter + (job + 1) * 8;
        work.commands.atomic_add(counter, 1, place)?;
        Ok(())
    }

    /// The number that a job took; 0 if it did not.
    pub(super) fn number(&self, job: u64) -> u64 {
        self.map.read_u64((job as usize + 1) * 8)
    }

    /// How many times a number was taken.
    pub(super) fn total(&self) -> u64 {
        self.map.read_u64(0) - 1
    }
}
