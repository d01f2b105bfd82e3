// SPDX-License-Identifier: GPL-2.0

//! Hangs while the GPU is reset, and hangs in a row on several engines at once.

use anyhow::{Context as _, Result, ensure};
use rgt::{Cause, Context, Engine, Priority};

use super::{Reset, until_hung, verdict};
use crate::expect::same;
use crate::harness::{Control, LONG, Outcome, Test, tests};
use crate::rig::{PAGE, Rig, Work};

pub(super) const TESTS: &[Test] = tests![LONG; before_a_reset, of_all_engines_in_a_row];

fn before_a_reset() -> Outcome {
    Reset::ALL.into_iter().try_for_each(before)
}

/// All engines hang when the reset comes, in a way that only a reset of the device ends.
pub(in crate::suites) fn before(reset: Reset) -> Outcome {
    let mut control = Control::open()?;
    let rig = Rig::new()?;
    let mut works = written(&rig)?;
    for (engine, (work, _)) in rig.device.engines().iter().zip(&mut works) {
        control.send(&format!("hang 0 {} fatal", engine.id))?;
        work.submit()?;
    }
    until_hung(&mut control, works.len())?;
    let generation = rig.device.vram_generation()?;
    reset.perform(&mut control, &rig.device)?;
    for (work, context) in &mut works {
        work.wait().with_context(|| format!("{reset:?}"))?;
        // The reset came before the time-out: none of them is to blame.
        verdict("who hung", context, Some(Cause::VramLost), false)?;
    }
    same("generation", rig.device.vram_generation()?, generation + 1)?;
    works_again(&rig)
}

/// Each engine hangs, alone and with the device, three times in a row: a reset of the device for
/// one meets the hang of another.
fn of_all_engines_in_a_row() -> Outcome {
    const TIMES: usize = 3;
    let mut control = Control::open()?;
    let rig = Rig::new()?;
    for time in 0..TIMES {
        let mut works = written(&rig)?;
        for (engine, (work, _)) in rig.device.engines().iter().zip(&mut works) {
            let how = match engine.id == rig.copy.id {
                true => " fatal",
                false => "",
            };
            control.send(&format!("hang 0 {}{how}", engine.id))?;
            work.submit()?;
        }
        for (work, context) in &mut works {
            work.wait().with_context(|| format!("time {time}"))?;
            let resets = context.status()?.resets;
            ensure!(resets > 0, "no reset is told, time {time}");
        }
        works_again(&rig)?;
    }
    Ok(())
}

/// A job for each engine, with its context. They are written before an engine hangs, which may be
/// the one that clears new memory.
fn written(rig: &Rig) -> Result<Vec<(Work, Context)>> {
    let write = |engine: &Engine| {
        let context = Context::create(&rig.device, Priority::Normal)?;
        let mut work = rig.work(*engine)?;
        work.context(&context);
        work.commands.nop()?;
        Ok((work, context))
    };
    rig.device.engines().iter().map(write).collect()
}

/// New jobs run on every engine.
fn works_again(rig: &Rig) -> Outcome {
    let bo = rig.gtt(PAGE)?;
    let map = bo.map()?;
    for engine in rig.device.engines() {
        let mut work = rig.work(*engine)?;
        let at = work.writes(&bo)?;
        work.commands.write(at + u64::from(engine.id) * 4, &[77])?;
        work.run()?;
        same("afterwards", map.read(engine.id as usize * 4), 77)?;
    }
    Ok(())
}
