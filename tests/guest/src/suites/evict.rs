// SPDX-License-Identifier: GPL-2.0

//! More BOs than VRAM has room for.

use anyhow::{Context, Result, ensure};
use rgt::{Bo, BoFlags, Placement, RegionKind};
use rustix::io::Errno;

use crate::expect::{fails_any, of_library, same};
use crate::harness::{Outcome, Suite, Tag, tests};
use crate::rig::{MIB, Make, PAGE, Rig};

pub(super) const SUITE: Suite = Suite {
    name: "evict",
    needs: &[],
    tags: &[Tag::Memory, Tag::Dma],
    tests: &[tests![
        one_and_a_half_of_vram,
        vram_only,
        more_than_vram_in_one_job,
        too_much_in_one_job,
        mapped_by_the_cpu,
    ]],
};

const CHUNK: u64 = 16 * MIB;

fn vram(rig: &Rig) -> Result<rgt::Region> {
    rig.device
        .region(RegionKind::Vram)?
        .context("there is VRAM")
}

/// BOs of this much together.
fn bos(rig: &Rig, bytes: u64, make: Make) -> Result<Vec<Bo>> {
    (0..bytes.div_ceil(CHUNK))
        .map(|_| rig.bo(CHUNK, make))
        .collect()
}

/// Fills BOs with a pattern each; then looks at all of them. A BO's first and last words tell
/// that the pattern is its own, and its sum after the fill is what it must stay.
fn fill_and_check(rig: &Rig, bos: &[Bo]) -> Outcome {
    let mut sums = Vec::new();
    for (pattern, bo) in (1..).zip(bos) {
        rig.fill(bo, pattern)?;
        sums.push(rig.checksum(bo)?);
    }
    for ((pattern, bo), sum) in (1..).zip(bos).zip(&sums) {
        same("words and sum", look(rig, bo)?, (pattern, pattern, *sum))?;
    }
    sums.sort_unstable();
    sums.dedup();
    same("different sums", sums.len(), bos.len())
}

/// The first word, the last word and the sum of a BO, by the GPU.
fn look(rig: &Rig, bo: &Bo) -> Result<(u32, u32, u64)> {
    let result = rig.gtt(PAGE)?;
    let mut work = rig.work(rig.render)?;
    let (from, to) = (work.reads(bo)?, work.writes(&result)?);
    work.commands
        .copy(from, to, 4)?
        .copy(from + CHUNK - 4, to + 4, 4)?
        .checksum(from, CHUNK, to + 8)?;
    work.run()?;
    let map = result.map()?;
    Ok((map.read(0), map.read(4), map.read_u64(8)))
}

fn one_and_a_half_of_vram() -> Outcome {
    let rig = Rig::new()?;
    let size = vram(&rig)?.size;
    let all = bos(&rig, size / 2 * 3, |bo| {
        bo.placement(Placement::VRAM | Placement::GTT)
    })?;
    fill_and_check(&rig, &all)
}

/// BOs that may be nowhere else when they are used, so that each use moves some out.
fn vram_only() -> Outcome {
    let rig = Rig::new()?;
    let size = vram(&rig)?.size;
    let all = bos(&rig, size / 4 * 5, |bo| bo.placement(Placement::VRAM))?;
    fill_and_check(&rig, &all)?;
    for bo in &all {
        let place = bo.info()?.current_placement;
        ensure!(!place.is_empty(), "a BO that was used has no backing");
    }
    Ok(())
}

/// Names all BOs in one job, which fills each with a pattern.
fn fill_all_at_once(rig: &Rig, bos: &[Bo]) -> Result<()> {
    let mut work = rig.work_of(rig.copy, bos.len() * 8)?;
    for (pattern, bo) in (1..).zip(bos) {
        let to = work.writes(bo)?;
        work.commands.fill(to, CHUNK, pattern)?;
    }
    work.run()
}

fn more_than_vram_in_one_job() -> Outcome {
    let rig = Rig::new()?;
    let size = vram(&rig)?.size;
    let all = bos(&rig, size / 8 * 9, |bo| {
        bo.placement(Placement::VRAM | Placement::GTT)
    })?;
    fill_all_at_once(&rig, &all)?;
    for (pattern, bo) in (1..).zip(&all) {
        let (first, last, _) = look(&rig, bo)?;
        same("first and last word", (first, last), (pattern, pattern))?;
    }
    Ok(())
}

fn too_much_in_one_job() -> Outcome {
    let rig = Rig::new()?;
    let size = vram(&rig)?.size;
    let all = bos(&rig, size + 2 * CHUNK, |bo| bo.placement(Placement::VRAM))?;
    let result = fill_all_at_once(&rig, &all);
    fails_any("the job", &[Errno::NOMEM, Errno::NOSPC], of_library(result))?;
    rig.fill(&all[0], 4)?;
    same("a job afterwards", all[0].map()?.read(0), 4)
}

/// A CPU mapping follows its BO out of VRAM and back.
fn mapped_by_the_cpu() -> Outcome {
    let rig = Rig::new()?;
    let visible = vram(&rig)?.cpu_visible_size;
    let make: Make = |bo| {
        bo.placement(Placement::VRAM | Placement::GTT)
            .flags(BoFlags::CPU_ACCESS)
    };
    let bo = rig.bo(CHUNK, make)?;
    let map = bo.map()?;
    for offset in (0..map.len()).step_by(PAGE as usize) {
        map.write(offset, offset as u32 + 1);
    }
    let others = bos(&rig, visible + CHUNK, |bo| {
        bo.placement(Placement::VRAM).flags(BoFlags::CPU_ACCESS)
    })?;
    for round in 0..2 {
        for other in &others {
            rig.fill(other, 0xffff_0000 + round)?;
        }
        let wrong = (0..map.len())
            .step_by(PAGE as usize)
            .find(|at| map.read(*at) != *at as u32 + 1);
        same("first wrong page", wrong, None)?;
        let mut work = rig.work(rig.copy)?;
        let at = work.writes(&bo)?;
        work.commands.write(at, &[1])?;
        work.run()?;
    }
    Ok(())
}
