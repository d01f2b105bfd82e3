// SPDX-License-Identifier: GPL-2.0

//! A GPU does not sleep while a fence is outstanding, or what is in VRAM cannot be saved.

use std::time::Duration;

use anyhow::ensure;
use rgt::{BindOp, BindQueue, Cause, Context, Placement, Priority, Syncobj};

use super::auto::{Auto, SHORT};
use crate::expect::same;
use crate::harness::{Control, Outcome, Test, tests};
use crate::peer::SwFence;
use crate::rig::{MIB, PAGE, Rig};
use crate::suites::power::crowd;
use crate::suites::room::check;

pub(super) const TESTS: &[Test] = tests![
    while_a_job_runs,
    while_an_engine_hangs,
    while_a_job_waits,
    while_a_bind_waits,
    without_memory
];

fn while_a_job_runs() -> Outcome {
    /// With no delay it would sleep in fewer.
    const LOOKS: u32 = 50;
    let rig = Rig::new()?;
    let auto = Auto::after(&rig.device, Duration::ZERO)?;
    let bo = rig.visible(PAGE)?;

    for engine in [rig.copy, rig.render] {
        let busy = rig.busy(engine, Duration::from_secs(3), |work| {
            let at = work.writes(&bo)?;
            work.commands.write(at, &[engine.id + 7])?;
            Ok(())
        })?;
        let mut looks = 0;
        while busy.runs()? {
            // It may have ended since.
            ensure!(!auto.is_asleep()? || !busy.runs()?, "it sleeps: a job runs");
            looks += 1;
        }
        ensure!(looks > LOOKS, "the job was over after {looks} looks");
        busy.wait()?;
        auto.falls_asleep()?;
        same("what it wrote", bo.map()?.read(0), engine.id + 7)?;
    }
    Ok(())
}

/// Until it is recovered from.
fn while_an_engine_hangs() -> Outcome {
    let mut control = Control::open()?;
    let rig = Rig::new()?;
    let auto = Auto::after(&rig.device, Duration::ZERO)?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let mut work = rig.work(rig.render)?;
    work.context(&context);
    work.commands.nop()?;
    control.send(&format!("hang 0 {}", rig.render.id))?;
    work.submit()?;

    auto.stays_awake("an engine hangs")?;
    same("the job hangs", work.is_pending()?, true)?;
    work.wait()?;
    same("the context", context.status()?.cause, Some(Cause::Hang))?;
    auto.falls_asleep()?;
    let bo = rig.visible(PAGE)?;
    rig.fill(&bo, 9)?;
    same("a job after that", bo.map()?.read(0), 9)
}

/// For a fence that user space signals, with nothing in VRAM.
fn while_a_job_waits() -> Outcome {
    let rig = Rig::new()?;
    let auto = Auto::after(&rig.device, Duration::ZERO)?;
    let bo = rig.gtt(PAGE)?;
    let held = rig.held(rig.render, |work| {
        let at = work.writes(&bo)?;
        work.commands.write(at, &[6])?;
        Ok(())
    })?;

    auto.stays_awake("a job waits")?;
    same("the job waits", held.is_pending()?, true)?;
    held.finish()?;
    auto.falls_asleep()?;
    same("what it wrote", bo.map()?.read(0), 6)
}

/// Its out-sync is a fence as any other.
fn while_a_bind_waits() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let auto = Auto::after(&rig.device, Duration::ZERO)?;
    let begin = SwFence::new()?;
    let gate = Syncobj::of_sync_file(&rig.device, begin.file())?;
    let va = rig.vm.reserve(PAGE)?;
    let op = BindOp::map(&bo, 0, va.addr(), PAGE);
    let queue = BindQueue::create(&rig.vm)?;
    queue.bind(&[op], &[gate.sync()], &[])?;

    auto.stays_awake("a bind waits")?;
    begin.signal()?;
    auto.falls_asleep()
}

fn without_memory() -> Outcome {
    let (rig, all, hog) = crowd()?;
    let auto = Auto::after(&rig.device, SHORT)?;
    auto.stays_awake("there is no memory")?;
    check(&rig, &all[..1], 100)?;
    let more = rig.bo(MIB, |bo| bo.placement(Placement::VRAM))?;
    rig.fill(&more, 5)?;
    auto.stays_awake("there is no memory")?;
    drop(hog);
    // It has tried all the time.
    auto.falls_asleep()?;
    check(&rig, &all, 100)?;
    auto.falls_asleep()?;
    same("a BO", more.map()?.read(0), 5)
}
