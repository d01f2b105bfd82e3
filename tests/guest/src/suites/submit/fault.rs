// SPDX-License-Identifier: GPL-2.0

//! A job that faults marks its context, and no other.

use anyhow::{Context as _, Result};
use rgt::{
    Bo, Cause, Context, Engine, Fault, FaultAccess, FaultReason, FenceStatus, Ib, Job, Priority,
    Syncobj, WaitFrom,
};
use rustix::io::Errno;

use super::tally::Tally;
use crate::expect::{fails, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, PATIENCE, Rig, Work};

pub(super) const TESTS: &[Test] = tests![
    marks_its_context,
    of_a_job_without_context,
    atomics_beyond_the_gpu,
];

/// An address where nothing ever is.
fn nowhere(rig: &Rig) -> u64 {
    rig.device.info().va.end - (64 << 30)
}

/// Runs a job that faults; gives what its fence says.
fn run_bad(
    rig: &Rig,
    engine: Engine,
    context: Option<&Context>,
    bad: impl FnOnce(&mut Work) -> Result<()>,
) -> Result<FenceStatus> {
    let mut work = rig.work(engine)?;
    if let Some(context) = context {
        work.context(context);
    }
    let done = Syncobj::new(&rig.device)?;
    bad(&mut work)?;
    work.signal(done.sync());
    work.submit()?;
    let file = done.sync_file()?;
    done.wait(PATIENCE, WaitFrom::Now)?;
    work.wait()?;
    Ok(file.status()?)
}

fn marks_its_context() -> Outcome {
    let rig = Rig::new()?;
    let tally = Tally::new(&rig, 1)?;
    let away = nowhere(&rig);
    type Bad = fn(&mut Work, u64) -> rgt::Result<()>;
    let cases: [(FaultAccess, Bad); 2] = [
        (FaultAccess::Write, |work, at| {
            work.commands.fill(at, 4, 9).map(drop)
        }),
        (FaultAccess::Read, |work, at| {
            work.commands.copy(at, at + (1 << 30), 4).map(drop)
        }),
    ];
    for engine in rig.device.engines() {
        for (access, bad) in cases {
            let [guilty, innocent] =
                [(); 2].map(|()| Context::create(&rig.device, Priority::Normal));
            let (guilty, innocent) = (guilty?, innocent?);
            let status = run_bad(&rig, *engine, Some(&guilty), |work| Ok(bad(work, away)?))?;
            same("its fence", status, FenceStatus::Failed(Errno::FAULT))?;

            let verdict = guilty.status()?;
            let fault = Fault {
                address: away,
                access,
                engine: engine.id,
                reason: FaultReason::NotPresent,
            };
            same("its cause", verdict.cause, Some(Cause::Fault(fault)))?;
            same("its guilt", verdict.guilty, true)?;
            for engine in rig.device.engines() {
                let ib = Ib {
                    addr: away,
                    dwords: 1,
                };
                let job = Job::new(&rig.vm, *engine).ib(ib).context(&guilty);
                fails("its next job", Errno::CANCELED, job.submit())?;
            }

            same("the other's cause", innocent.status()?.cause, None)?;
            let before = tally.total();
            let mut work = rig.work(*engine)?;
            work.context(&innocent);
            tally.count(&mut work, 0)?;
            work.run().context("the other's job")?;
            same("the other's jobs", tally.total(), before + 1)?;
        }
    }
    Ok(())
}

/// A job that belongs to no context has only itself to blame.
fn of_a_job_without_context() -> Outcome {
    let rig = Rig::new()?;
    let away = nowhere(&rig);
    let tally = Tally::new(&rig, 1)?;
    let status = run_bad(&rig, rig.copy, None, |work| {
        Ok(work.commands.fill(away, 4, 9).map(drop)?)
    })?;
    same("its fence", status, FenceStatus::Failed(Errno::FAULT))?;
    let mut work = rig.work(rig.copy)?;
    tally.count(&mut work, 0)?;
    work.run()?;
    same("the next one", tally.total(), 1)
}

/// Atomics work in the GPU's own memory, and in system memory if the driver says so. If it does not,
/// they fault and change nothing.
fn atomics_beyond_the_gpu() -> Outcome {
    let rig = Rig::new()?;
    let info = rig.device.info();
    same("in VRAM", info.atomics, true)?;
    let add = |context: &Context, bo: &Bo| -> Result<(FenceStatus, u64, u64)> {
        bo.map()?.write(0, 41);
        let mut at = 0;
        let status = run_bad(&rig, rig.render, Some(context), |work| {
            at = work.writes(bo)?;
            work.commands.atomic_add(at, 1, 0)?;
            Ok(())
        })?;
        Ok((status, at, bo.map()?.read_u64(0)))
    };
    let context = Context::create(&rig.device, Priority::Normal)?;
    let (status, _, word) = add(&context, &rig.visible(PAGE)?)?;
    same("VRAM", (status, word), (FenceStatus::Done, 42))?;
    let (status, at, word) = add(&context, &rig.gtt(PAGE)?)?;
    if info.system_atomics {
        same("GTT", (status, word), (FenceStatus::Done, 42))?;
        return same("the cause", context.status()?.cause, None);
    }
    same(
        "GTT",
        (status, word),
        (FenceStatus::Failed(Errno::FAULT), 41),
    )?;
    let fault = Fault {
        address: at,
        access: FaultAccess::Write,
        engine: rig.render.id,
        reason: FaultReason::NoAtomics,
    };
    same(
        "the cause",
        context.status()?.cause,
        Some(Cause::Fault(fault)),
    )
}
