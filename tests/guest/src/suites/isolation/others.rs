// SPDX-License-Identifier: GPL-2.0

//! Other clients, which take the VRAM that is free.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rgt::{Bo, RegionKind, checksum};

use super::{CHUNK, SECRET};
use crate::harness::Outcome;
use crate::rig::{HIDDEN, MIB, Rig, Work};

/// Bytes of BOs that only take room.
const FILLING: u64 = 8 * MIB;

/// Room that is left where the CPU sees VRAM, for a BO's move and the commands of long jobs.
pub(super) const ROOM: u64 = 24 * MIB;

/// Bytes of VRAM that are free.
fn free_vram(rig: &Rig) -> Result<u64> {
    let vram = rig.device.region(RegionKind::Vram)?;
    let vram = vram.context("there is VRAM")?;
    Ok(vram.size - vram.used)
}

/// BOs of another client in what is free of VRAM, but for about so many bytes where the CPU sees it,
/// and [`FILLING`] bytes where it does not.
pub(super) fn all_but(leave: u64) -> Result<(Rig, Vec<Bo>)> {
    let rig = Rig::new()?;
    let count = free_vram(&rig)?.saturating_sub(leave) / FILLING;
    let mut bos = (0..count)
        .map(|_| rig.bo(FILLING, HIDDEN))
        .collect::<Result<Vec<_>>>()?;
    bos.iter().try_for_each(|bo| rig.fill(bo, 7))?;
    // The first ones are where the CPU does not see them.
    bos.remove(0);
    Ok((rig, bos))
}

/// A client with secrets in all of VRAM that was free.
pub(super) struct Secrets {
    // Goes first: it waits for the jobs.
    works: Vec<Work>,
    bos: Vec<Bo>,
    rig: Rig,
}

impl Secrets {
    /// Fills what is free. The jobs that do it run, and may wait for what others have to do first.
    pub(super) fn begin() -> Result<Self> {
        let rig = Rig::new()?;
        let (mut works, mut bos) = (Vec::new(), Vec::new());
        for _ in 0..free_vram(&rig)? / CHUNK {
            let bo = rig.bo(CHUNK, HIDDEN)?;
            let mut work = rig.work(rig.copy)?;
            let to = work.writes(&bo)?;
            work.commands.fill(to, CHUNK, SECRET)?;
            work.submit()?;
            works.push(work);
            bos.push(bo);
        }
        ensure!(!bos.is_empty(), "no VRAM is free");
        Ok(Self { works, bos, rig })
    }

    /// Waits until all is filled, but for no longer than this.
    pub(super) fn settle_within(&self, patience: Duration) -> Outcome {
        let end = Instant::now() + patience;
        for work in &self.works {
            while work.is_pending()? && Instant::now() < end {
                thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    /// Checks that nothing of it was overwritten.
    pub(super) fn check(mut self) -> Outcome {
        self.works.iter_mut().try_for_each(Work::wait)?;
        for (number, bo) in self.bos.iter().enumerate() {
            if self.rig.checksum(bo)? != checksum::of_fill(SECRET, CHUNK / 4) {
                bail!("BO {number} of another client was overwritten");
            }
        }
        Ok(())
    }
}
