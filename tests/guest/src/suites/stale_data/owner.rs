// SPDX-License-Identifier: GPL-2.0

//! The owner of stale data: processes that fill memory with their pattern.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rgt::{Bo, Placement, RegionKind};

use super::PATTERN;
use crate::harness::Outcome;
use crate::rig::{Dice, HIDDEN, MIB, Make, PAGE, Rig, SHARED, SYSTEM};

/// Exists while an owner that stays has filled its memory.
const FILLED: &str = "/tmp/owner-has-filled";
const CHUNK: u64 = 8 * MIB;
/// System pages, seen by the GPU or not, of each kind: a part of the guest's memory.
const PAGES: u64 = 32 * MIB;

/// Waits until an owner that stays has filled its memory.
pub(super) fn wait_until_filled(patience: Duration) -> Result<()> {
    let end = Instant::now() + patience;
    while !Path::new(FILLED).exists() {
        if Instant::now() > end {
            bail!("the owner does not fill its memory");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(fs::remove_file(FILLED)?)
}

/// Leaves the pattern in more than all of VRAM, so that some is evicted, in pages of all kinds, and
/// in the scratchpad. Then it ends, or stays with jobs running until it is killed.
pub(crate) fn fill(arguments: &[&str]) -> Outcome {
    let rig = Rig::new()?;
    let mut all = Vec::new();
    for region in rig.device.regions()? {
        let make: Make = match region.kind {
            RegionKind::Vram => |bo| bo.placement(Placement::VRAM),
            RegionKind::Scratchpad => |bo| bo.placement(Placement::SCRATCHPAD),
            _ => continue,
        };
        let chunk = match region.kind {
            RegionKind::Vram => CHUNK,
            _ => PAGE,
        };
        for _ in 0..region.size / chunk {
            let bo = rig.bo(chunk, make)?;
            rig.fill(&bo, PATTERN | 1)?;
            all.push(bo);
        }
    }
    for (_, make) in [SHARED[1], SHARED[2], SHARED[3], ("system", SYSTEM)] {
        for _ in 0..PAGES / CHUNK {
            let bo = rig.bo(CHUNK, make)?;
            bo.map()?.fill(0..CHUNK as usize, PATTERN | 2);
            all.push(bo);
        }
    }
    match arguments {
        ["end"] => Ok(()),
        _ => stay(&rig, &all),
    }
}

/// Longer than the test waits.
const OUTLIVES: Duration = Duration::from_secs(1000);

/// Submits jobs that write the pattern again, and sleeps in the middle of them.
fn stay(rig: &Rig, all: &[Bo]) -> Outcome {
    let mut busy = rig.busy(rig.render, Duration::from_millis(800), |work| {
        for bo in all.iter().take(4) {
            let to = work.writes(bo)?;
            work.commands.fill(to, bo.size(), PATTERN | 3)?;
        }
        Ok(())
    })?;
    fs::write(FILLED, "")?;
    thread::sleep(OUTLIVES);
    busy.settle()
}

/// Takes memory, leaves the pattern in it and gives it back, until it is killed. Often it closes a
/// BO while a job still writes to it.
pub(crate) fn churn(arguments: &[&str]) -> Outcome {
    let [seed] = arguments else {
        anyhow::bail!("expected a seed")
    };
    let rig = Rig::new()?;
    let mut dice = Dice::new(seed.parse()?);
    let makes = [SHARED[0].1, SHARED[1].1, SHARED[2].1, HIDDEN, HIDDEN];
    loop {
        let make = makes[dice.below(makes.len() as u32) as usize];
        let bo = rig.bo(64 << 10 << dice.below(7), make)?;
        let mut work = rig.work(rig.copy)?;
        let to = work.writes(&bo)?;
        work.commands.fill(to, bo.size(), PATTERN | 4)?;
        work.submit()?;
        if dice.below(2) == 0 {
            work.wait()?;
            bo.map()?.fill(0..bo.size() as usize, PATTERN | 5);
        }
        drop(bo);
    }
}
