// SPDX-License-Identifier: GPL-2.0

//! Evicted BOs come back.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::rounds::{VRAM_ONLY, VRAM_OR_GTT};
use super::watch::{CHUNK, Watched, capacity};
use crate::harness::{Outcome, Test, say, tests};
use crate::rig::{MIB, Rig};

pub(super) const TESTS: &[Test] = tests![after_a_peak, not_all_at_once, to_the_user_that_needs_it];

/// The default of the parameter `moveback_mbps`, and what is saved of it.
const RATE: u64 = 1024 * MIB;
const SAVED: u64 = RATE / 16;

/// A set in VRAM that a peak of others has driven out, and that is over.
fn driven_out<'a>(rig: &'a Rig) -> Result<Watched<'a>> {
    let count = capacity(rig)? * 3 / 4;
    let mut set = Watched::new(rig, count, VRAM_OR_GTT)?;
    for _ in 0..2 {
        set.round()?;
    }
    ensure!(set.resident()? == count, "what fits is not in VRAM");
    // Used by one job, so that all of them are in VRAM at the same time.
    let peak = Watched::new(rig, capacity(rig)? + count, VRAM_ONLY)?;
    all_in_one_job(rig, &peak)?;
    ensure!(set.resident()? == 0, "the peak did not evict the whole set");
    set.take_moves()?;
    Ok(set)
}

/// Has a job use all of them.
fn all_in_one_job(rig: &Rig, set: &Watched<'_>) -> Result<()> {
    let mut work = rig.work_of(rig.copy, set.bos().len() * 8)?;
    for bo in set.bos() {
        let at = work.writes(bo)?;
        work.commands.write(at, &[1])?;
    }
    work.run()
}

fn after_a_peak() -> Outcome {
    let rig = Rig::new()?;
    let mut set = driven_out(&rig)?;
    set.slow_round()?;
    let (resident, count) = (set.resident()?, set.bos().len());
    ensure!(resident == count, "{resident} of {count} are back in VRAM");
    Ok(())
}

fn not_all_at_once() -> Outcome {
    let rig = Rig::new()?;
    let mut set = driven_out(&rig)?;
    let start = Instant::now();
    set.round()?;
    let time = start.elapsed();
    let back = set.resident()? as u64 * CHUNK;
    let most = SAVED + RATE * time.as_millis() as u64 / 1000 + CHUNK;
    say(&format!(
        "{} MiB back in {} ms",
        back / MIB,
        time.as_millis()
    ));
    ensure!(back > 0, "nothing came back");
    ensure!(back <= most, "{back} bytes came back, at most {most} may");
    Ok(())
}

/// BOs that every round uses get the place of those that are hardly ever used.
fn to_the_user_that_needs_it() -> Outcome {
    let rig = Rig::new()?;
    let count = capacity(&rig)?;
    let mut rare = Watched::new(&rig, count, VRAM_OR_GTT)?;
    rare.round()?;
    let mut often = Watched::new(&rig, count / 4, VRAM_OR_GTT)?;
    often.round()?;
    ensure!(often.resident()? == 0, "there is room in what was filled");
    for part in 0..8 {
        for number in part * count / 8..(part + 1) * count / 8 {
            rare.touch(number)?;
        }
        often.slow_round()?;
    }
    let (resident, count) = (often.resident()?, often.bos().len());
    ensure!(resident == count, "{resident} of {count} are in VRAM");
    Ok(())
}
