// SPDX-License-Identifier: GPL-2.0

//! Moves that a job's use of a BO makes.

use std::time::Duration;

use anyhow::{Context, Result};
use rgt::{Bo, RegionKind};

use super::each_allocation;
use super::fail::{each_allocation_checked, some_failed};
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{HIDDEN, MIB, PAGE, Rig, SHARED, Work};

pub(super) const TESTS: &[Test] = tests![first_use_by_jobs, eviction, eviction_of_busy_bos];

fn first_use_by_jobs() -> Outcome {
    let rig = Rig::new()?;
    let large = [SHARED[0].1, SHARED[2].1, HIDDEN].map(|make| (make, 64 * PAGE));
    // The CPU clears a page that it sees.
    for (make, size) in large.into_iter().chain([(SHARED[0].1, PAGE)]) {
        some_failed(each_allocation_checked(
            || {
                let bo = rig.bo(size, make)?;
                Ok((filling(&rig, &bo, 7)?, bo))
            },
            |(work, _)| work.submit(),
            |(work, bo)| {
                work.wait()?;
                // It is filled, or as new as it was.
                let sum = rig.checksum(bo)?;
                let filled = rgt::checksum::of_fill(7, size / 4);
                same("sum", sum, if sum == 0 { 0 } else { filled })
            },
        ))?;
    }
    Ok(())
}

/// A job that fills a BO.
fn filling(rig: &Rig, bo: &Bo, pattern: u32) -> Result<Work> {
    let mut work = rig.work(rig.copy)?;
    let to = work.writes(bo)?;
    work.commands.fill(to, bo.size(), pattern)?;
    Ok(work)
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

/// More BOs than fit into VRAM, used in turn, so that each makes the oldest one move.
fn eviction() -> Outcome {
    const SIZE: u64 = 4 * MIB;
    const FIRST: u32 = 0x100;
    let rig = Rig::new()?;
    let all = Patterns::new(&rig, vram_size(&rig)? + 4 * SIZE, SIZE, FIRST)?;
    let mut turns = (FIRST..).zip(&all.bos).cycle();
    each_allocation(
        || {
            let (pattern, bo) = turns.next().context("it never ends")?;
            filling(&rig, bo, pattern)
        },
        Work::submit,
    )?;
    all.check(FIRST)
}

/// BOs have to make room while a job uses every one of them.
fn eviction_of_busy_bos() -> Outcome {
    const SIZE: u64 = 8 * MIB;
    const LENGTH: Duration = Duration::from_millis(50);
    const FIRST: u32 = 0x200;
    const LATE: u32 = 0x300;
    let rig = Rig::new()?;
    let all = Patterns::new(&rig, vram_size(&rig)? - SIZE, SIZE, FIRST)?;
    let newcomers = Patterns::new(&rig, 4 * SIZE, SIZE, LATE)?;
    let mut turns = (LATE..).zip(&newcomers.bos).cycle();
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
    some_failed(each_allocation_checked(
        || {
            let (pattern, bo) = turns.next().context("it never ends")?;
            let work = filling(&rig, bo, pattern)?;
            busy.settle()?;
            busy.again()?;
            Ok(work)
        },
        Work::submit,
        Work::wait,
    ))?;
    busy.settle()?;
    all.check(FIRST)?;
    newcomers.check(LATE)
}
