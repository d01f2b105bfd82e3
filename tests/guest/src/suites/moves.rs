// SPDX-License-Identifier: GPL-2.0

//! Moves of BOs that jobs still use, and of BOs in pieces.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rgt::{BindOp, Bo, EngineClass, Placement, RegionKind};

use crate::expect::same;
use crate::harness::{Outcome, Suite, Tag, tests};
use crate::rig::{HIDDEN, Held, MIB, PAGE, PATIENCE, Rig, Work, noise};

pub(super) const SUITE: Suite = Suite {
    name: "moves",
    needs: &[],
    tags: &[Tag::Memory, Tag::Iommu],
    tests: &[tests![
        behind_the_job_that_uses_it,
        addresses_given_to_others_meanwhile,
        fragmented,
        within_vram,
        all_copy_engines,
    ]],
};

const CHUNK: u64 = 4 * MIB;
const PATTERN: u32 = 0x0b5e_55ed;

fn vram_size(rig: &Rig) -> Result<u64> {
    let region = rig.device.region(RegionKind::Vram)?;
    Ok(region.context("there is VRAM")?.size)
}

/// Uses so much VRAM in one job of another client that whatever was there has to go.
fn take_all_of_vram() -> Result<()> {
    let rig = Rig::new()?;
    let count = (vram_size(&rig)? - 1) / (CHUNK / 2);
    let bos = (0..count)
        .map(|_| rig.bo(CHUNK / 2, HIDDEN))
        .collect::<Result<Vec<_>>>()?;
    let mut work = rig.work_of(rig.render, bos.len() * 8)?;
    for bo in &bos {
        let to = work.writes(bo)?;
        work.commands.fill(to, CHUNK / 2, 1)?;
    }
    work.run()
}

/// Waits until a BO is out of VRAM, or about to be.
fn until_evicted(bo: &Bo) -> Outcome {
    let start = Instant::now();
    while bo.info()?.current_placement == Placement::VRAM {
        ensure!(start.elapsed() < PATIENCE, "the BO is not evicted");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A job that uses a BO, which another client has evicted.
struct Evicted {
    // Goes first: the other client waits for it.
    job: Held,
    taker: JoinHandle<Result<()>>,
}

impl Evicted {
    /// Has a BO evicted while a job uses it, which does what `does` adds.
    fn new(rig: &Rig, bo: &Bo, does: impl FnOnce(&mut Work, u64) -> Result<()>) -> Result<Self> {
        let this = Self {
            job: rig.held(rig.render, |work| {
                let to = work.writes(bo)?;
                does(work, to)
            })?,
            taker: thread::spawn(take_all_of_vram),
        };
        until_evicted(bo)?;
        ensure!(this.job.is_pending()?, "the job was not held back");
        Ok(this)
    }

    /// Lets the job go, and waits for it and for the other client.
    fn settle(self) -> Result<()> {
        self.job.finish()?;
        let taken = self.taker.join();
        taken.map_err(|_| anyhow!("the taker panicked"))?
    }
}

/// A BO that a job is to write is evicted meanwhile: the job writes where the BO was, and what it
/// wrote is where the BO is then.
fn behind_the_job_that_uses_it() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.vram(CHUNK)?;
    rig.fill(&bo, 1)?;
    let evicted = Evicted::new(&rig, &bo, |work, to| {
        work.commands.fill(to, CHUNK, PATTERN)?;
        Ok(())
    })?;
    evicted.settle()?;
    let map = bo.map()?;
    let wrong = (0..map.len())
        .step_by(4)
        .find(|at| map.read(*at) != PATTERN);
    same("first word that the job's write missed", wrong, None)
}

/// A VM gives addresses of a BO to another one while the BO's move waits for a job: when the move
/// ends, only the entries of the BO that moved go.
fn addresses_given_to_others_meanwhile() -> Outcome {
    let rig = Rig::new()?;
    let (bo, other) = (rig.vram(CHUNK)?, rig.gtt(CHUNK)?);
    // In VRAM, and mapped at an address that no job uses any more.
    let spare = rig.vm.reserve(CHUNK)?;
    let at = spare.addr();
    rig.vm.bind(&[BindOp::map(&bo, 0, at, CHUNK)])?;
    rig.fill(&bo, 1)?;
    rig.fill(&other, 2)?;
    let evicted = Evicted::new(&rig, &bo, |_, _| Ok(()))?;

    rig.vm.bind(&[BindOp::map(&other, 0, at, CHUNK)])?;
    let mut work = rig.work(rig.copy)?;
    work.job = work.job.clone().write(&other);
    work.commands.fill(at, CHUNK, PATTERN)?;
    work.submit()?;
    evicted.settle()?;
    work.wait()?;

    // This job finds the entries that were written for the one before.
    let result = rig.gtt(PAGE)?;
    let mut work = rig.work(rig.copy)?;
    let to = work.writes(&result)?;
    work.job = work.job.clone().read(&other);
    work.commands.copy(at, to, PAGE)?;
    work.run()?;
    same(
        "a word through the new mapping",
        result.map()?.read(0),
        PATTERN,
    )
}

/// Leaves VRAM with holes of `hole` bytes between BOs of that size; gives these.
fn with_holes(rig: &Rig, hole: u64) -> Result<Vec<Bo>> {
    let free = {
        let region = rig.device.region(RegionKind::Vram)?;
        let region = region.context("there is VRAM")?;
        region.size - region.used
    };
    let bos = (0..free / hole)
        .map(|_| rig.vram(hole))
        .collect::<Result<Vec<_>>>()?;
    for some in bos.chunks(256) {
        let mut work = rig.work_of(rig.copy, some.len() * 8)?;
        for bo in some {
            let to = work.writes(bo)?;
            work.commands.fill(to, PAGE, 3)?;
        }
        work.run()?;
    }
    let mut keep = 0;
    let bos = bos
        .into_iter()
        .filter(|_| {
            keep += 1;
            keep % 2 == 0
        })
        .collect();
    Ok(bos)
}

/// A BO in GTT with words that are different everywhere.
fn with_noise(rig: &Rig, size: u64) -> Result<Bo> {
    let bo = rig.gtt(size)?;
    bo.map()?.write_slice(0, &noise(5, size as usize / 4));
    Ok(bo)
}

/// A BO in many pieces of VRAM keeps its content out of VRAM and back.
fn fragmented() -> Outcome {
    let rig = Rig::new()?;
    let stay = with_holes(&rig, 2 * MIB)?;
    let bo = rig.bo(8 * CHUNK, |bo| bo.placement(Placement::VRAM))?;
    let pages = with_noise(&rig, 8 * CHUNK)?;
    rig.copy(&pages, &bo)?;
    let sum = rig.checksum(&bo)?;
    same("place", bo.info()?.current_placement, Placement::VRAM)?;
    for _ in 0..2 {
        take_all_of_vram()?;
        same(
            "place when evicted",
            bo.info()?.current_placement,
            Placement::GTT,
        )?;
        same("sum when back", rig.checksum(&bo)?, sum)?;
    }
    drop(stay);
    Ok(())
}

/// A BO that the CPU looks at goes from hidden to visible VRAM as it is.
fn within_vram() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(CHUNK, HIDDEN)?;
    let pages = with_noise(&rig, CHUNK)?;
    rig.copy(&pages, &bo)?;
    let all = 0..CHUNK as usize;
    let sum = pages.map()?.checksum(all.clone());
    same("sum by the CPU", bo.map()?.checksum(all), sum)
}

/// Moves are spread over the copy engines: here moves that all wait for the same job, so that none
/// ends before the last one has got its engine.
fn all_copy_engines() -> Outcome {
    let rig = Rig::new()?;
    let engines: Vec<_> = rig
        .device
        .engines()
        .iter()
        .copied()
        .filter(|engine| engine.class == EngineClass::Copy)
        .collect();
    ensure!(engines.len() > 1, "there is one copy engine only");
    let busy = |rig: &Rig| {
        engines
            .iter()
            .map(|engine| rig.device.busy(*engine))
            .collect::<Result<Vec<_>, _>>()
    };
    // More than there may still be jobs of the kernel at one of the engines.
    let bos = (0..4 * engines.len())
        .map(|_| rig.vram(CHUNK))
        .collect::<Result<Vec<_>>>()?;
    bos.iter().try_for_each(|bo| rig.fill(bo, 1))?;
    let before = busy(&rig)?;
    let evicted = Evicted::new(&rig, &bos[0], |work, _| {
        bos[1..].iter().try_for_each(|bo| work.writes(bo).map(drop))
    })?;
    bos.iter().try_for_each(until_evicted)?;
    evicted.settle()?;
    for (engine, (before, after)) in engines.iter().zip(before.iter().zip(busy(&rig)?)) {
        ensure!(after > *before, "engine {} has done nothing", engine.id);
    }
    Ok(())
}
