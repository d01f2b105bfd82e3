// SPDX-License-Identifier: GPL-2.0

//! BOs have their content, mappings and placement after a suspend, and jobs go on.

use anyhow::{Context as _, Result};
use rgt::{Context, Job, Placement, Priority, WaitFor};

use super::sleep::Sleep;
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{HIDDEN, Kept, MIB, PAGE, PATIENCE, Rig, SHARED, SYSTEM};

pub(super) const TESTS: &[Test] = tests![
    before_an_image,
    after_the_drivers_part,
    after_a_loss_of_power,
    after_suspend_to_ram,
];

const ROUNDS: u32 = 2;
/// More VRAM than is in use.
const CLEARED: u64 = 16 * MIB;

fn before_an_image() -> Outcome {
    is_kept(Sleep::Image)
}

fn after_the_drivers_part() -> Outcome {
    is_kept(Sleep::Drivers)
}

fn after_a_loss_of_power() -> Outcome {
    is_kept(Sleep::Devices)
}

fn after_suspend_to_ram() -> Outcome {
    is_kept(Sleep::Ram)
}

/// Leaves free VRAM that is known to be zero: the driver has cleared it, and no job or CPU has had it.
fn cleared_and_freed(rig: &Rig) -> Outcome {
    let bo = rig.visible(CLEARED)?;
    Job::new(&rig.vm, rig.copy).read(&bo).submit()?;
    Ok(bo.wait(PATIENCE, WaitFor::All)?)
}

pub(super) fn is_kept(sleep: Sleep) -> Outcome {
    let rig = Rig::new()?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let makes = [SHARED[0].1, SHARED[1].1, SHARED[2].1, HIDDEN];
    let kept = (1..)
        .zip(makes)
        .map(|(seed, make)| Kept::new(&rig, make, seed))
        .collect::<Result<Vec<_>>>()?;
    let hidden = &kept.last().context("there are some")?.bo;
    let mapped = rig.visible(MIB)?;
    let map = mapped.map()?;
    let system = rig.bo(PAGE, SYSTEM)?;
    system.map()?.write(0, 4);
    let generation = rig.device.vram_generation()?;

    for round in 0..ROUNDS {
        map.write(8, round + 1);
        let mut work = rig.work(rig.copy)?;
        work.context(&context);
        let at = work.writes(&mapped)?;
        work.commands.write(at, &[round + 5])?;
        cleared_and_freed(&rig)?;
        // In flight, or queued, when the system goes to sleep.
        work.submit()?;
        sleep.enter()?;
        let moved = hidden.info()?;
        same(
            "moved away",
            moved.current_placement != Placement::VRAM,
            true,
        )?;
        work.wait().context("a job from before")?;

        same("the CPU's word", map.read(8), round + 1)?;
        same("the job's word", map.read(0), round + 5)?;
        for kept in &kept {
            kept.check(&rig)?;
        }
        same("system memory", system.map()?.read(0), 4)?;
        same("back", hidden.info()?.current_placement, Placement::VRAM)?;
        let fresh = rig.visible(CLEARED)?.map()?;
        let dirty = (0..CLEARED as usize)
            .step_by(64)
            .position(|at| fresh.read(at) != 0);
        same("the first dirty dword of new VRAM", dirty, None)?;
    }
    same("generation", rig.device.vram_generation()?, generation)?;
    same("the context", context.status()?.cause, None)
}
