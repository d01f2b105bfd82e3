// SPDX-License-Identifier: GPL-2.0

//! A job that accesses memory which moves away, or goes, before it runs.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rgt::{Binding, Bo, Mapping};

use super::{CHUNK, OWN, STRAY};
use crate::harness::Outcome;
use crate::rig::{HIDDEN, Rig, Work};

/// A job's access to memory that moved away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Reads,
    Writes,
}

/// The BO that moves, bound, and the one that a job copies it to. The job does not name the first.
pub(super) struct Bos {
    pub(super) binding: Binding,
    pub(super) moving: Bo,
    pub(super) result: Bo,
}

impl Bos {
    pub(super) fn new(rig: &Rig) -> Result<Self> {
        let (moving, result) = (rig.bo(CHUNK, HIDDEN)?, rig.gtt(CHUNK)?);
        let binding = rig.vm.map(&moving)?;
        // This names it, so that its pages are in the page tables from here on.
        rig.fill(&moving, OWN)?;
        rig.fill(&result, 0)?;
        Ok(Self {
            binding,
            moving,
            result,
        })
    }

    /// Has a job access them.
    pub(super) fn access(&self, work: &mut Work, access: Access) -> Outcome {
        let (from, to) = (self.binding.addr(), work.writes(&self.result)?);
        match access {
            Access::Reads => work.commands.copy(from, to, CHUNK)?,
            Access::Writes => work.commands.fill(from, CHUNK, STRAY)?,
        };
        Ok(())
    }
}

/// Touches a BO by the CPU, so that it moves to where the CPU sees it. The move may wait for jobs, and
/// is not waited for then.
pub(super) fn moved(map: Mapping) -> thread::JoinHandle<u32> {
    let toucher = thread::spawn(move || map.read(0));
    let end = Instant::now() + Duration::from_secs(1);
    while !toucher.is_finished() && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
    toucher
}

/// Checks that a job copied nothing but its own words, up to where it may have faulted.
pub(super) fn check_result(map: &Mapping) -> Outcome {
    let foreign = (0..map.len())
        .step_by(4)
        .map(|at| map.read(at))
        .find(|word| ![0, OWN].contains(word));
    ensure!(foreign.is_none(), "a foreign word: {foreign:#x?}");
    Ok(())
}
