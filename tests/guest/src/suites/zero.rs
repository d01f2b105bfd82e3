// SPDX-License-Identifier: GPL-2.0

//! New memory is zeroed before anyone can see it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rgt::{Bo, Placement, RegionKind};

use crate::expect::same;
use crate::harness::{Helper, Outcome, Suite, Tag, Used, tests};
use crate::rig::{HIDDEN, MIB, Make, PAGE, Rig, SHARED, SYSTEM};

pub(super) const SUITE: Suite = Suite {
    name: "zero",
    needs: &[],
    tags: &[Tag::Memory, Tag::Dma],
    tests: &[tests![
        vram,
        pages,
        reused_within_a_client,
        seen_by_an_older_job
    ]],
};

/// The helper that leaves its pattern in as much memory as it can get.
pub(super) const DIRTIER: &str = "dirty";

/// The pattern that it leaves.
const PATTERN: u32 = 0x5011_ed00;
const CHUNK: u64 = 8 * MIB;
/// GTT and system pages that are dirtied: a part of the guest's memory.
const PAGES: u64 = 64 * MIB;

/// BOs that together take most of VRAM.
fn most_of_vram(rig: &Rig, make: Make) -> Result<Vec<Bo>> {
    let vram = rig
        .device
        .region(RegionKind::Vram)?
        .context("there is VRAM")?;
    let count = (vram.size - vram.used) / CHUNK - 2;
    (0..count).map(|_| rig.bo(CHUNK, make)).collect()
}

/// Fills VRAM, GTT and system pages with a pattern, and ends.
pub(super) fn dirty() -> Outcome {
    let rig = Rig::new()?;
    let vram = most_of_vram(&rig, |bo| bo.placement(Placement::VRAM))?;
    let gtt = (0..PAGES / CHUNK)
        .map(|_| rig.gtt(CHUNK))
        .collect::<Result<Vec<_>>>()?;
    for bo in vram.iter().chain(&gtt) {
        rig.fill(bo, PATTERN)?;
    }
    let system = rig.bo(CHUNK, SYSTEM)?;
    system.map()?.fill(0..CHUNK as usize, PATTERN);
    Ok(())
}

/// Has another process leave its pattern everywhere, and waits until its memory is back.
fn dirty_all() -> Outcome {
    let before = Used::now()?;
    Helper::start(DIRTIER, &[])?.finish(Duration::from_secs(300))?;
    before.wait_until_back()
}

fn vram() -> Outcome {
    dirty_all()?;
    let rig = Rig::new()?;
    let visible = rig
        .device
        .region(RegionKind::Vram)?
        .context("there is VRAM")?
        .cpu_visible_size;
    let all = most_of_vram(&rig, HIDDEN)?;
    ensure!(
        all.len() as u64 * CHUNK > visible,
        "VRAM is hardly larger than its window"
    );
    for bo in &all {
        // The sum of zeros is zero.
        same("sum of new VRAM", rig.checksum(bo)?, 0)?;
    }
    Ok(())
}

fn pages() -> Outcome {
    dirty_all()?;
    let rig = Rig::new()?;
    // All are kept, so that none gets what another had.
    let mut all = Vec::new();
    for (name, make) in [SHARED[1], SHARED[2]] {
        for _ in 0..PAGES / CHUNK {
            let bo = rig.bo(CHUNK, make)?;
            same(name, rig.checksum(&bo)?, 0)?;
            all.push(bo);
        }
    }
    for (name, make) in [("system pages", SYSTEM), SHARED[0], SHARED[1], SHARED[2]] {
        let bo = rig.bo(CHUNK, make)?;
        let map = bo.map()?;
        let dirty = (0..map.len())
            .step_by(256)
            .find(|offset| map.read(*offset) != 0);
        same(name, dirty, None)?;
        all.push(bo);
    }
    Ok(())
}

/// Memory that a client freed and got again, while the jobs that write to it may still run.
fn reused_within_a_client() -> Outcome {
    let rig = Rig::new()?;
    for (name, make) in [SHARED[0], SHARED[1], SHARED[2], ("hidden VRAM", HIDDEN)] {
        for _ in 0..4 {
            let mut work = rig.work(rig.copy)?;
            let bos = (0..4)
                .map(|_| rig.bo(64 * PAGE, make))
                .collect::<Result<Vec<_>>>()?;
            for bo in &bos {
                let to = work.writes(bo)?;
                work.commands.fill(to, bo.size(), PATTERN)?;
            }
            work.submit()?;
            drop(bos);
            let new = (0..4)
                .map(|_| rig.bo(64 * PAGE, make))
                .collect::<Result<Vec<_>>>()?;
            for bo in &new {
                same(name, rig.checksum(bo)?, 0)?;
            }
            work.wait()?;
        }
    }
    Ok(())
}

/// A job that runs already does not see a BO's memory before it is cleared: the page tables are
/// those of the whole VM.
fn seen_by_an_older_job() -> Outcome {
    dirty_all()?;
    let rig = Rig::new()?;
    let (target, result) = (rig.bo(MIB, HIDDEN)?, rig.gtt(MIB)?);
    let at = rig.vm.map(&target)?;
    let mut older = rig.busy(rig.copy, Duration::from_secs(1), |work| {
        let to = work.writes(&result)?;
        // Does not name the BO, so that it waits for nothing that belongs to it.
        work.commands.copy(at.addr(), to, MIB)?;
        Ok(())
    })?;
    let mut newer = rig.work(rig.render)?;
    newer.job = newer.job.clone().write(&target);
    newer.commands.nop()?;
    newer.submit()?;
    older.settle()?;
    newer.wait()?;
    let map = result.map()?;
    let seen = (0..map.len())
        .step_by(4)
        .find(|offset| map.read(*offset) == PATTERN);
    same("a word of stale data", seen, None)
}
