// SPDX-License-Identifier: GPL-2.0

//! Moves that binds and jobs make.

use std::time::Duration;

use anyhow::{Context, Result};
use rgt::uapi::DRM_RGT_REGION_GTT;
use rgt::{BindOp, Binding, Bo, Placement, RegionKind};

use super::fail::{Failures, failing};
use crate::expect::same;
use crate::harness::{Outcome, Test};
use crate::rig::{HIDDEN, MIB, PAGE, PATIENCE, Rig, SHARED, Work};

pub(super) const TESTS: &[Test] = failing![
    first_use: 105,
    return_by_jobs: 34,
    eviction: 20,
    eviction_of_busy_bos: 60,
];

fn first_use(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    let large = [SHARED[0].1, SHARED[2].1, HIDDEN].map(|make| (make, 64 * PAGE));
    // The CPU clears a page that it sees.
    for (make, size) in large.into_iter().chain([(SHARED[0].1, PAGE)]) {
        failures.each_allocation_checked(
            || Ok((rig.vm.reserve(size)?, rig.bo(size, make)?)),
            |(range, bo)| bind(&rig, bo, range),
            |(_, bo)| same("sum", rig.checksum(bo)?, 0),
        )?;
    }
    Ok(())
}

/// A job finds a BO elsewhere than where it was, and brings it back.
fn return_by_jobs(failures: &mut Failures) -> Outcome {
    const SIZE: u64 = 4 * MIB;
    let rig = Rig::new()?;
    let bo = rig.bo(SIZE, |bo| bo.placement(Placement::VRAM | Placement::GTT))?;
    let range = rig.vm.map(&bo)?;
    let mut work = filling(&rig, &bo, 7)?;
    work.submit()?;
    work.wait()?;
    failures.each_allocation_checked(
        || {
            let away = BindOp::prefetch(range.addr(), SIZE, DRM_RGT_REGION_GTT);
            Ok(rig.vm.bind(&[away])?)
        },
        |()| Ok(work.job.submit()?),
        |()| {
            work.commands.wait(PATIENCE)?;
            let filled = rgt::checksum::of_fill(7, SIZE / 4);
            same("sum", rig.checksum(&bo)?, filled)
        },
    )
}

/// A job that fills a BO.
fn filling(rig: &Rig, bo: &Bo, pattern: u32) -> Result<Work> {
    let mut work = rig.work(rig.copy)?;
    let to = work.writes(bo)?;
    work.commands.fill(to, bo.size(), pattern)?;
    Ok(work)
}

/// Binds a BO, which brings it to VRAM.
fn bind(rig: &Rig, bo: &Bo, range: &Binding) -> Result<()> {
    Ok(rig
        .vm
        .bind(&[BindOp::map(bo, 0, range.addr(), bo.size())])?)
}

/// BOs of which each has a pattern of its own.
struct Patterns<'a> {
    rig: &'a Rig,
    bos: Vec<Bo>,
}

impl<'a> Patterns<'a> {
    /// BOs of `size` bytes that need so much VRAM. The first has the pattern `first`.
    fn new(rig: &'a Rig, total: u64, size: u64, first: u32) -> Result<Self> {
        let bos = (0..total / size)
            .map(|_| rig.vram(size))
            .collect::<Result<Vec<_>>>()?;
        for (pattern, bo) in (first..).zip(&bos) {
            rig.fill(bo, pattern)?;
        }
        Ok(Self { rig, bos })
    }

    /// Has the GPU look at every byte.
    fn check(&self, first: u32) -> Outcome {
        for (pattern, bo) in (first..).zip(&self.bos) {
            let sum = rgt::checksum::of_fill(pattern, bo.size() / 4);
            same("sum", self.rig.checksum(bo)?, sum)
                .with_context(|| format!("BO with {pattern:#x}"))?;
        }
        Ok(())
    }
}

fn vram_size(rig: &Rig) -> Result<u64> {
    let vram = rig.device.region(RegionKind::Vram)?;
    Ok(vram.context("there is VRAM")?.size)
}

/// More BOs than fit into VRAM, bound in turn, so that each makes the oldest one move.
fn eviction(failures: &mut Failures) -> Outcome {
    const SIZE: u64 = 4 * MIB;
    const FIRST: u32 = 0x100;
    let rig = Rig::new()?;
    let all = Patterns::new(&rig, vram_size(&rig)? + 4 * SIZE, SIZE, FIRST)?;
    let mut turns = all.bos.iter().cycle();
    failures.each_allocation(
        || {
            let bo = turns.next().context("it never ends")?;
            Ok((rig.vm.reserve(SIZE)?, bo))
        },
        |(range, bo)| bind(&rig, bo, range),
    )?;
    all.check(FIRST)
}

/// BOs have to make room for those of another client while a job uses every one of them.
fn eviction_of_busy_bos(failures: &mut Failures) -> Outcome {
    const SIZE: u64 = 8 * MIB;
    const LENGTH: Duration = Duration::from_millis(50);
    const FIRST: u32 = 0x200;
    const LATE: u32 = 0x300;
    let (rig, other) = (Rig::new()?, Rig::new()?);
    let all = Patterns::new(&rig, vram_size(&rig)? - SIZE, SIZE, FIRST)?;
    let newcomers = Patterns::new(&other, 4 * SIZE, SIZE, LATE)?;
    let mut turns = newcomers.bos.iter().cycle();
    // Where they are in the VM has to be written again after each move.
    let _bindings: Vec<_> = all
        .bos
        .iter()
        .map(|bo| rig.vm.map(bo))
        .collect::<rgt::Result<_>>()?;
    let mut busy = rig.busy(rig.render, LENGTH, |work| {
        for bo in &all.bos {
            work.job = work.job.clone().read(bo);
        }
        Ok(())
    })?;
    failures.each_allocation_checked(
        || {
            let bo = turns.next().context("it never ends")?;
            busy.settle()?;
            busy.again()?;
            Ok((other.vm.reserve(SIZE)?, bo))
        },
        |(range, bo)| bind(&other, bo, range),
        |_| Ok(()),
    )?;
    busy.settle()?;
    all.check(FIRST)?;
    newcomers.check(LATE)
}
