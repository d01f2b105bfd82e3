// SPDX-License-Identifier: GPL-2.0

//! Who is evicted, and who is not.

use anyhow::ensure;
use rgt::{BoFlags, Placement};
use rustix::io::Errno;

use super::rounds::{VRAM_ONLY, VRAM_OR_GTT};
use super::watch::{CHUNK, Watched, capacity, in_vram, vram};
use crate::expect::{fails, of_library};
use crate::harness::{Outcome, Test, skip, tests};
use crate::rig::{HIDDEN, Make, Rig};

pub(super) const TESTS: &[Test] = tests![
    not_those_that_would_not_help,
    not_those_of_the_job,
    no_space_is_not_no_memory,
];

/// A BO that must be where the CPU sees it only takes room there.
fn not_those_that_would_not_help() -> Outcome {
    const VISIBLE: Make = |bo| bo.placement(Placement::VRAM).flags(BoFlags::CPU_ACCESS);
    let rig = Rig::new()?;
    let region = vram(&rig)?;
    if region.cpu_visible_size == region.size {
        return skip("the CPU sees all of VRAM");
    }
    let hidden = (region.size - region.cpu_visible_size) / CHUNK;
    let visible = region.cpu_visible_size / CHUNK;

    let mut inside = Watched::new(&rig, visible as usize, VISIBLE)?;
    inside.round()?;
    // These are used less recently than what is to be evicted.
    let mut outside = Watched::new(&rig, hidden as usize, HIDDEN)?;
    outside.round()?;
    inside.round()?;
    outside.take_moves()?;

    let mut more = Watched::new(&rig, visible as usize, VISIBLE)?;
    more.round()?;
    let moves = outside.take_moves()?;
    ensure!(moves == 0, "{moves} chunks moved that the CPU does not see");
    ensure!(inside.take_moves()? != 0, "nothing was evicted");
    Ok(())
}

/// A job's BOs do not drive each other out: those that find no room are in GTT.
fn not_those_of_the_job() -> Outcome {
    let rig = Rig::new()?;
    let fit = capacity(&rig)?;
    let must = Watched::new(&rig, fit / 2, VRAM_ONLY)?;
    let may = Watched::new(&rig, fit, VRAM_OR_GTT)?;
    let mut work = rig.work_of(rig.copy, 16 * fit)?;
    for bo in must.bos().iter().chain(may.bos()) {
        let at = work.writes(bo)?;
        work.commands.write(at, &[7])?;
    }
    work.run()?;
    for bo in must.bos() {
        ensure!(in_vram(bo)?, "a BO that must be in VRAM is not");
    }
    let resident = may.resident()?;
    ensure!(
        (fit - fit / 2).abs_diff(resident) <= 1,
        "{resident} others are in VRAM"
    );
    Ok(())
}

/// A job that needs more VRAM than there is lacks space, not memory.
fn no_space_is_not_no_memory() -> Outcome {
    let rig = Rig::new()?;
    let set = Watched::new(&rig, capacity(&rig)? + 2, VRAM_ONLY)?;
    let mut work = rig.work_of(rig.copy, set.bos().len() * 8)?;
    for bo in set.bos() {
        let at = work.writes(bo)?;
        work.commands.write(at, &[1])?;
    }
    fails("the job", Errno::NOSPC, of_library(work.submit()))
}
