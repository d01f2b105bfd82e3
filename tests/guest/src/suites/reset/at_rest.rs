// SPDX-License-Identifier: GPL-2.0

//! A reset while the GPU has nothing to do: what is lost is VRAM, and that is told.

use anyhow::{Context as _, Result, ensure};
use rgt::{Bo, Cause, Context, Mapping, Priority};

use super::{Reset, verdict};
use crate::expect::{content_is, same};
use crate::harness::{Control, Outcome, Test, tests};
use crate::rig::{MIB, PAGE, Rig, SYSTEM, noise};

pub(super) const TESTS: &[Test] = tests![by_the_bus, by_a_loss_of_power];

const ROUNDS: u32 = 3;
const SIZE: usize = MIB as usize;

fn by_the_bus() -> Outcome {
    (0..ROUNDS).try_for_each(|round| at_rest(Reset::Function, round))
}

fn by_a_loss_of_power() -> Outcome {
    (0..ROUNDS).try_for_each(|round| at_rest(Reset::PowerLoss, round))
}

/// Memory that a reset does not touch.
fn keeper(rig: &Rig, make: fn(&Rig) -> Result<Bo>, content: &[u32]) -> Result<(Bo, Mapping)> {
    let bo = make(rig)?;
    let map = bo.map()?;
    map.write_slice(0, content);
    Ok((bo, map))
}

/// Has a context write a word of a BO.
fn mark(rig: &Rig, context: &Context, bo: &Bo, value: u32) -> Outcome {
    let mut work = rig.work(rig.render)?;
    work.context(context);
    let at = work.writes(bo)?;
    work.commands.write(at, &[value])?;
    work.run()
}

/// All that is to be seen of a reset.
pub(in crate::suites) fn at_rest(reset: Reset, round: u32) -> Outcome {
    let mut control = Control::open()?;
    let rig = Rig::new()?;
    let context = || Context::create(&rig.device, Priority::Normal);
    let (bystander, poor, lucky) = (context()?, context()?, context()?);
    let content = noise(round + 1, SIZE / 4);
    let (gtt, gtt_map) = keeper(&rig, |rig| rig.gtt(MIB), &content)?;
    let (_system, system_map) = keeper(&rig, |rig| rig.bo(MIB, SYSTEM), &content)?;
    let vram = rig.visible(MIB)?;
    let vram_map = vram.map()?;
    mark(&rig, &poor, &vram, 7)?;
    same("VRAM before", vram_map.read(0), 7)?;
    // In a VM in which no VRAM is bound.
    let sibling = rig.sibling()?;
    let counter = rig.gtt(PAGE)?;
    mark(&sibling, &lucky, &counter, 1)?;
    let (resets, generation) = (rig.device.reset_count()?, rig.device.vram_generation()?);

    reset.perform(&mut control, &rig.device)?;
    let what = format!("{reset:?}");
    let told = rig.device.vram_generation()?;
    same(&format!("generation, {what}"), told, generation + 1)?;
    ensure!(rig.device.reset_count()? > resets, "resets, {what}");
    verdict("who did nothing", &bystander, None, false)?;
    verdict("who used no VRAM", &lucky, None, false)?;
    verdict("who used VRAM", &poor, Some(Cause::VramLost), false)?;
    ensure!(vram_map.read(0) != 7, "VRAM is not lost, {what}");
    content_is("GTT", &gtt_map, &content)?;
    content_is("system memory", &system_map, &content)?;

    // Pages that are there already, new pages, and new VRAM.
    vram_map.write(0, 8);
    vram_map.write(SIZE - 4, 9);
    same(
        "old pages",
        (vram_map.read(0), vram_map.read(SIZE - 4)),
        (8, 9),
    )?;
    let fresh = rig.visible(MIB)?;
    let fresh_map = fresh.map()?;
    ensure!(
        (0..SIZE).step_by(4).all(|at| fresh_map.read(at) == 0),
        "new VRAM is not zero, {what}"
    );

    // Jobs of the default context, of new ones, and of those that have lost nothing.
    rig.copy(&gtt, &fresh)?;
    content_is("VRAM", &fresh_map, &content)?;
    let back = rig.gtt(MIB)?;
    rig.copy(&fresh, &back)?;
    content_is("GTT after VRAM", &back.map()?, &content)?;
    for context in [&lucky, &bystander, &context()?] {
        mark(&rig, context, &vram, 11).context("a job of a context that is not banned")?;
        same("its job", vram_map.read(0), 11)?;
    }
    if rig.device.info().system_atomics {
        let mut work = sibling.work(sibling.render)?;
        work.context(&lucky);
        let at = work.writes(&counter)?;
        work.commands.atomic_add(at, 4, 0)?;
        work.run().context("an atomic operation on system memory")?;
        same("the counter", counter.map()?.read(0), 5)?;
        verdict("who did it", &lucky, None, false)?;
    }
    same("generation", rig.device.vram_generation()?, generation + 1)
}
