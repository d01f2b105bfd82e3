// SPDX-License-Identifier: GPL-2.0

//! Engines that hang: who is to blame, and that all others get their work done.

use anyhow::{Context as _, Result, ensure};
use rgt::{
    BindOp, Bo, Cause, Context, Engine, FenceStatus, Ib, Job, Priority, Syncobj, WaitFor, WaitFrom,
};
use rustix::io::Errno;

use crate::expect::{fails, same};
use crate::harness::{Control, LONG, Outcome, Test, tests};
use crate::rig::{PAGE, PATIENCE, Rig, Work};

pub(super) const TESTS: &[Test] =
    tests![LONG; of_each_engine, again_and_again, of_the_whole_device, of_the_tlb];

/// A client that does nothing wrong.
struct Neighbour {
    rig: Rig,
    context: Context,
    bo: Bo,
}

impl Neighbour {
    fn new() -> Result<Self> {
        Self::with(Rig::visible)
    }

    /// One that has nothing in VRAM, and can do no atomics.
    fn without_vram() -> Result<Self> {
        Self::with(Rig::gtt)
    }

    fn with(make: impl FnOnce(&Rig, u64) -> Result<Bo>) -> Result<Self> {
        let rig = Rig::new()?;
        let bo = make(&rig, PAGE)?;
        rig.fill(&bo, 0)?;
        let context = Context::create(&rig.device, Priority::Normal)?;
        Ok(Self { rig, context, bo })
    }

    /// Submits a job to an engine that counts at a place.
    fn count(&self, engine: Engine, place: u64) -> Result<Work> {
        self.submit(engine, |work, at| {
            work.commands.atomic_add(at + place * 8, 1, 0)?;
            Ok(())
        })
    }

    /// Submits a job to an engine that makes 1 of what is at a place.
    fn mark(&self, engine: Engine, place: u64) -> Result<Work> {
        self.submit(engine, |work, at| {
            work.commands.write(at + place * 8, &[1, 0])?;
            Ok(())
        })
    }

    fn submit(
        &self,
        engine: Engine,
        what: impl FnOnce(&mut Work, u64) -> Result<()>,
    ) -> Result<Work> {
        let mut work = self.rig.work(engine)?;
        work.context(&self.context);
        let at = work.writes(&self.bo)?;
        what(&mut work, at)?;
        work.submit()?;
        Ok(work)
    }

    fn counted(&self, place: u64) -> Result<u64> {
        Ok(self.bo.map()?.read_u64(place as usize * 8))
    }
}

/// A context that takes no jobs any more, on any engine.
fn takes_no_jobs(rig: &Rig, context: &Context) -> Outcome {
    for engine in rig.device.engines() {
        let ib = Ib {
            addr: rig.device.info().va.start,
            dwords: 1,
        };
        let job = Job::new(&rig.vm, *engine).ib(ib).context(context);
        fails("a job of the guilty", Errno::CANCELED, job.submit())?;
    }
    Ok(())
}

/// Hangs an engine by a job of a new context. Those of the same client, of another one, on this
/// engine and on others, all run, each once.
fn hang(control: &mut Control, engine: Engine) -> Outcome {
    const BEHIND: u64 = 5;
    let (own, other) = (Neighbour::new()?, Neighbour::new()?);
    let rig = &own.rig;
    let guilty = Context::create(&rig.device, Priority::Normal)?;
    let victim = rig.gtt(PAGE)?;
    rig.fill(&victim, 0)?;
    let done = Syncobj::new(&rig.device)?;

    let mut bad = rig.work(engine)?;
    bad.context(&guilty);
    let at = bad.writes(&victim)?;
    bad.commands.write(at, &[1])?;
    bad.signal(done.sync());
    control.send(&format!("hang 0 {}", engine.id))?;
    bad.submit()?;
    let file = done.sync_file()?;

    // One that is behind it in the context, one that waits for what it writes.
    let mut next = rig.work(engine)?;
    next.context(&guilty);
    let at = next.writes(&victim)?;
    next.commands.write(at + 4, &[1])?;
    next.submit()?;
    let elsewhere = rig.device.engines().iter().find(|it| it.id != engine.id);
    let mut dependent = rig.work(*elsewhere.context("a second engine")?)?;
    dependent.context(&own.context);
    let at = dependent.writes(&victim)?;
    dependent.commands.write(at + 8, &[1])?;
    dependent.submit()?;
    let mut works = Vec::new();
    for place in 0..BEHIND {
        works.push(other.count(engine, place)?);
        works.push(own.count(engine, place)?);
        for engine in rig.device.engines() {
            works.push(other.count(*engine, BEHIND + u64::from(engine.id))?);
        }
    }

    for work in &mut works {
        work.wait().context("an innocent job")?;
    }
    for work in [&mut bad, &mut next, &mut dependent] {
        work.wait()?;
    }
    done.wait(PATIENCE, WaitFrom::Now)?;
    same(
        "its fence",
        file.status()?,
        FenceStatus::Failed(Errno::CANCELED),
    )?;
    let map = victim.map()?;
    let words = [0, 4, 8].map(|offset| map.read(offset));
    same(
        "what the guilty, the next and the dependent wrote",
        words,
        [0, 0, 1],
    )?;
    for place in 0..BEHIND {
        same("own", own.counted(place)?, 1)?;
        same("other", other.counted(place)?, 1)?;
    }
    for engine in rig.device.engines() {
        let counted = other.counted(BEHIND + u64::from(engine.id))?;
        same("on each engine", counted, BEHIND)?;
    }

    let verdict = guilty.status()?;
    same(
        "cause",
        (verdict.cause, verdict.guilty),
        (Some(Cause::Hang), true),
    )?;
    ensure!(verdict.resets > 0, "no reset is told");
    takes_no_jobs(rig, &guilty)?;
    for neighbour in [&own, &other] {
        let verdict = neighbour.context.status()?;
        same(
            "a neighbour",
            (verdict.cause, verdict.guilty),
            (None, false),
        )?;
        neighbour.count(engine, 40)?.wait()?;
        same("afterwards", neighbour.counted(40)?, 1)?;
    }
    Ok(())
}

fn of_each_engine() -> Outcome {
    let device = rgt::Device::open()?;
    let mut control = Control::open()?;
    let resets = device.reset_count()?;
    for engine in device.engines() {
        hang(&mut control, *engine).with_context(|| format!("engine {}", engine.id))?;
    }
    same("resets of the device", device.reset_count()?, resets)
}

fn again_and_again() -> Outcome {
    const TIMES: usize = 4;
    let device = rgt::Device::open()?;
    let mut control = Control::open()?;
    for time in 0..TIMES {
        let engine = device.engines()[0];
        hang(&mut control, engine).with_context(|| format!("time {time}"))?;
    }
    Ok(())
}

/// An engine whose own reset fails takes the device with it. VRAM is lost, which those who had
/// something there learn, and those who had not do not mind.
fn of_the_whole_device() -> Outcome {
    let mut control = Control::open()?;
    for engine in rgt::Device::open()?.engines() {
        let (poor, lucky) = (Neighbour::new()?, Neighbour::without_vram()?);
        let device = &poor.rig.device;
        let (resets, generation) = (device.reset_count()?, device.vram_generation()?);
        let lost = poor.rig.vram(PAGE)?;
        let mut work = poor.rig.work(poor.rig.render)?;
        work.context(&poor.context);
        let at = work.writes(&lost)?;
        work.commands.write(at, &[1])?;
        work.run()?;
        lucky.mark(*engine, 0)?.wait()?;

        let guilty = Context::create(&lucky.rig.device, Priority::Normal)?;
        let mut bad = lucky.rig.work(*engine)?;
        bad.context(&guilty);
        bad.commands.nop()?;
        control.send(&format!("hang 0 {} fatal", engine.id))?;
        bad.submit()?;
        let mut behind = lucky.mark(*engine, 1)?;
        bad.wait()?;
        behind.wait()?;

        same("the job behind it", lucky.counted(1)?, 1)?;
        same("resets", device.reset_count()?, resets + 1)?;
        same("generation", device.vram_generation()?, generation + 1)?;
        let verdict = guilty.status()?;
        same(
            "the guilty",
            (verdict.cause, verdict.guilty),
            (Some(Cause::Hang), true),
        )?;
        takes_no_jobs(&lucky.rig, &guilty)?;
        let verdict = lucky.context.status()?;
        same("the lucky", (verdict.cause, verdict.guilty), (None, false))?;
        let verdict = poor.context.status()?;
        let expected = (Some(Cause::VramLost), false);
        same("the poor", (verdict.cause, verdict.guilty), expected)?;
        takes_no_jobs(&poor.rig, &poor.context)?;

        // With new contexts and new BOs, all is well.
        lucky.mark(*engine, 2)?.wait()?;
        let fresh = poor.rig.vram(PAGE)?;
        poor.rig.fill(&fresh, 0xf5e5)?;
        fresh.wait(PATIENCE, WaitFor::All)?;
        same("new VRAM", fresh.map()?.read(0), 0xf5e5)?;
    }
    Ok(())
}

/// Memory that the device does not let go of is not given to others: it takes a reset of the
/// device, which hits those that have something in VRAM and no others.
fn of_the_tlb() -> Outcome {
    let mut control = Control::open()?;
    let (poor, lucky) = (Neighbour::new()?, Neighbour::without_vram()?);
    let device = &poor.rig.device;
    let (resets, generation) = (device.reset_count()?, device.vram_generation()?);
    let mut work = poor.rig.work(poor.rig.render)?;
    work.context(&poor.context);
    let lost = poor.rig.vram(PAGE)?;
    let at = work.writes(&lost)?;
    work.commands.write(at, &[1])?;
    work.run()?;
    let target = lucky.rig.gtt(PAGE)?;
    let map = target.map()?;
    let range = lucky.rig.vm.reserve(PAGE)?;
    lucky
        .rig
        .vm
        .bind(&[BindOp::map(&target, 0, range.addr(), PAGE)])?;
    let write = |value: u32| -> Result<u32> {
        let mut work = lucky.rig.work(lucky.rig.copy)?;
        work.job = work.job.clone().write(&target);
        work.commands.write(range.addr(), &[value])?;
        work.run()?;
        Ok(map.read(0))
    };
    same("before", write(1)?, 1)?;

    control.send("hang 0 tlb")?;
    lucky.rig.vm.bind(&[BindOp::unmap(range.addr(), PAGE)])?;
    same("through what was unmapped", write(2)?, 1)?;
    lucky.mark(lucky.rig.render, 0)?.wait()?;
    same("resets", device.reset_count()? > resets, true)?;
    same("generation", device.vram_generation()?, generation + 1)?;
    let verdict = poor.context.status()?;
    let expected = (Some(Cause::VramLost), false);
    same("the poor", (verdict.cause, verdict.guilty), expected)?;
    let verdict = lucky.context.status()?;
    same("the lucky", (verdict.cause, verdict.guilty), (None, false))?;

    // And the next one is as quick as ever.
    lucky
        .rig
        .vm
        .bind(&[BindOp::map(&target, 0, range.addr(), PAGE)])?;
    same("mapped again", write(3)?, 3)
}
