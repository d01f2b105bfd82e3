// SPDX-License-Identifier: GPL-2.0

//! A group's VRAM is safe from others.

use anyhow::ensure;
use rgt::Bo;

use super::group::Group;
use super::{VRAM_ONLY, VRAM_OR_GTT, bos, fill, in_vram, vram_size};
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{Make, Rig};

pub(super) const TESTS: &[Test] = tests![min_holds, low_holds, newcomer_gets_what_is_its_own];

fn min_holds() -> Outcome {
    holds("min", VRAM_ONLY)
}

fn low_holds() -> Outcome {
    holds("low", VRAM_ONLY)?;
    holds("low", VRAM_OR_GTT)
}

/// A client that is idle keeps its VRAM while another needs more than there is, and only as long
/// as it is protected.
fn holds(protection: &str, greedy: Make) -> Outcome {
    let rig = Rig::new()?;
    let size = vram_size(&rig)?;
    let (safe, other) = (Group::new("safe")?, Group::new("other")?);
    safe.protect(protection, size / 2)?;

    let kept = bos(&rig, size / 2, VRAM_OR_GTT)?;
    safe.run(|| fill(&rig, &kept))?;
    same("VRAM charged", safe.current()?, size / 2)?;
    let many = bos(&rig, size / 4 * 3, greedy)?;
    let overcommit = || other.run(|| (0..2).try_for_each(|_| fill(&rig, &many)));

    overcommit()?;
    same("VRAM of the protected", in_vram(&kept)?, size / 2)?;
    ensure!(other.current()? <= size / 2, "the other has too much");
    content(&rig, &kept)?;

    safe.protect(protection, 0)?;
    (0..3).try_for_each(|_| overcommit())?;
    ensure!(
        in_vram(&kept)? < size / 2,
        "without protection nothing was evicted"
    );
    content(&rig, &kept)?;
    drop((kept, many));
    safe.wait_until_empty()?;
    other.wait_until_empty()
}

/// Each BO holds its pattern.
fn content(rig: &Rig, bos: &[Bo]) -> Outcome {
    for (pattern, bo) in (1..).zip(bos) {
        let result = rig.gtt(8)?;
        let mut work = rig.work(rig.copy)?;
        let (from, to) = (work.reads(bo)?, work.writes(&result)?);
        work.commands.copy(from + bo.size() - 4, to, 4)?;
        work.run()?;
        same("last word", result.map()?.read(0), pattern)?;
    }
    Ok(())
}

fn newcomer_gets_what_is_its_own() -> Outcome {
    ["min", "low"].into_iter().try_for_each(newcomer)
}

/// Who is protected gets VRAM that others filled before.
fn newcomer(protection: &str) -> Outcome {
    let rig = Rig::new()?;
    let size = vram_size(&rig)?;
    let (safe, other) = (Group::new("safe")?, Group::new("other")?);
    safe.protect(protection, size / 4)?;

    let many = bos(&rig, size, VRAM_OR_GTT)?;
    other.run(|| fill(&rig, &many))?;
    let few = bos(&rig, size / 4, VRAM_OR_GTT)?;
    other.run(|| fill(&rig, &few[..1]))?;
    same("VRAM of the unprotected", in_vram(&few)?, 0)?;
    safe.run(|| fill(&rig, &few[1..]))?;
    same(
        "VRAM of the protected",
        in_vram(&few[1..])?,
        size / 4 - few[0].size(),
    )?;
    drop((many, few));
    safe.wait_until_empty()?;
    other.wait_until_empty()
}
