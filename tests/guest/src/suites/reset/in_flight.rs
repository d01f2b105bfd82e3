// SPDX-License-Identifier: GPL-2.0

//! A reset under load: jobs run, jobs wait, BOs move, and the CPU uses VRAM.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use rgt::{
    Bo, Cause, Context, Device, FenceStatus, Placement, Priority, RegionKind, Syncobj, WaitFrom,
};
use rustix::io::Errno;

use super::{Reset, until_hung, verdict};
use crate::expect::same;
use crate::harness::{Control, LONG, Outcome, Test, tests};
use crate::peer::SwFence;
use crate::rig::{HIDDEN, MIB, PAGE, PATIENCE, Rig};
use crate::suites::observe::{Debugfs, Line};

pub(super) const TESTS: &[Test] = tests![LONG; jobs, a_move, moves_and_cpu];

const ROUNDS: usize = 3;
/// More of them: the watchdogs look once a second, and some have to while the GPU is off the bus.
const ROUNDS_OF_JOBS: usize = 8;
/// Jobs of each engine behind the one that runs.
const BEHIND: u64 = 4;
/// The BO that moves.
const CHUNK: u64 = 4 * MIB;

fn each(rounds: usize, test: impl Fn(Reset) -> Outcome) -> Outcome {
    for round in 0..rounds {
        for reset in Reset::ALL {
            test(reset).with_context(|| format!("{reset:?}, round {round}"))?;
        }
    }
    Ok(())
}

/// Waits until each engine has a job.
fn until_all_run(device: &Device) -> Outcome {
    let debugfs = Debugfs::of(device)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let lines = debugfs.lines("engines")?;
        let has_job = |line: &Line| line.number("pending").is_ok_and(|it| it > 0);
        if lines.iter().all(has_job) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{lines:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn jobs() -> Outcome {
    each(ROUNDS_OF_JOBS, jobs_during)
}

/// The jobs that run end with an error, and no time-out is to tell that; all others run.
pub(in crate::suites) fn jobs_during(reset: Reset) -> Outcome {
    let mut control = Control::open()?;
    let (long, other) = (Rig::new()?, Rig::new()?);
    let count = other.gtt(PAGE)?;
    other.fill(&count, 0)?;
    let context = Context::create(&other.device, Priority::Normal)?;
    // All are written before one runs: engines that are busy clear no new memory.
    let mut waiting = Vec::new();
    for engine in other.device.engines() {
        for place in 0..BEHIND {
            let mut work = other.work(*engine)?;
            work.context(&context);
            let at = work.writes(&count)?;
            let at = at + (u64::from(engine.id) * BEHIND + place) * 4;
            work.commands.write(at, &[1])?;
            waiting.push(work);
        }
    }
    let start = SwFence::new()?;
    let begin = Syncobj::of_sync_file(&long.device, start.file())?;
    let mut running = Vec::new();
    for engine in long.device.engines() {
        // Binds of the VM of a job that is held back wait for it.
        let rig = long.sibling()?;
        let owner = Context::create(&long.device, Priority::Normal)?;
        let done = Syncobj::new(&long.device)?;
        let busy = rig.endless(*engine, |work| {
            work.context(&owner);
            work.wait_for(begin.sync());
            work.signal(done.sync());
            Ok(())
        })?;
        let file = done.sync_file()?;
        running.push((owner, done, file, busy));
    }
    start.signal()?;
    until_all_run(&long.device)?;
    waiting.iter_mut().try_for_each(|work| work.submit())?;
    reset.perform(&mut control, &long.device)?;
    for (owner, done, file, busy) in &mut running {
        done.wait(PATIENCE, WaitFrom::Now)
            .context("a job that ran")?;
        let failed = FenceStatus::Failed(Errno::CANCELED);
        same("its fence", file.status()?, failed)?;
        verdict("its context", owner, Some(Cause::VramLost), false)?;
        busy.settle()?;
    }
    for work in &mut waiting {
        work.wait().context("a job that waited")?;
    }
    let map = count.map()?;
    let words = long.device.engines().len() * BEHIND as usize;
    ensure!(
        (0..words).all(|word| map.read(word * 4) == 1),
        "jobs that had not begun did not run"
    );
    verdict("their context", &context, None, false)
}

/// Where a BO is.
fn place(bo: &Bo) -> Result<Placement> {
    Ok(bo.info()?.current_placement)
}

/// Has a BO evicted by a client that goes again.
fn evict(bo: &Bo) -> Outcome {
    let rig = Rig::new()?;
    let vram = rig.device.region(RegionKind::Vram)?;
    let vram = vram.context("there is VRAM")?;
    let all = (0..=(vram.size - vram.used) / CHUNK)
        .map(|_| rig.bo(CHUNK, HIDDEN))
        .collect::<Result<Vec<_>>>()?;
    all.iter().try_for_each(|bo| rig.fill(bo, 7))?;
    ensure!(place(bo)? != Placement::VRAM, "it was not evicted");
    drop((all, rig));
    thread::sleep(Duration::from_millis(500));
    Ok(())
}

fn a_move() -> Outcome {
    each(ROUNDS, a_move_during)
}

/// A BO is on its way into VRAM: the move is done again, as its source is not lost.
pub(in crate::suites) fn a_move_during(reset: Reset) -> Outcome {
    let mut control = Control::open()?;
    let rig = Rig::new()?;
    let bo = rig.bo(CHUNK, HIDDEN)?;
    rig.fill(&bo, 0x5afe)?;
    let wanted = rig.checksum(&bo)?;
    evict(&bo)?;

    // Moves take the first copy engine that has nothing to do.
    control.send(&format!("hang 0 {}", rig.copy.id))?;
    let result = rig.gtt(PAGE)?;
    let mut work = rig.work(rig.render)?;
    let (from, to) = (work.reads(&bo)?, work.writes(&result)?);
    work.commands.checksum(from, CHUNK, to)?;
    work.submit()?;
    until_hung(&mut control, 1)?;

    reset.perform(&mut control, &rig.device)?;
    work.wait()?;
    same("what was moved", result.map()?.read_u64(0), wanted)
}

fn moves_and_cpu() -> Outcome {
    moves_and_cpu_during(&Reset::ALL)
}

/// More BOs than VRAM holds move in and out, and the CPU writes to some of them: all of it goes on.
pub(in crate::suites) fn moves_and_cpu_during(kinds: &[Reset]) -> Outcome {
    const RESETS: usize = 4;
    let stop = AtomicBool::new(false);
    let mover = || -> Outcome {
        let rig = Rig::new()?;
        let vram = rig.device.region(RegionKind::Vram)?;
        let vram = vram.context("there is VRAM")?;
        let bos = (0..vram.size / CHUNK + 4)
            .map(|_| rig.bo(CHUNK, HIDDEN))
            .collect::<Result<Vec<_>>>()?;
        while !stop.load(Ordering::Relaxed) {
            for bo in &bos {
                // The content may be lost: `EIO`, or `ECANCELED` of a job that had begun.
                let _ = rig.fill(bo, 3);
            }
        }
        // Everything works without further resets.
        for bo in bos.iter().take(8) {
            let bo = (rig.bo(bo.size(), HIDDEN)?, rig.gtt(bo.size())?);
            rig.fill(&bo.0, 0x600d)?;
            rig.copy(&bo.0, &bo.1)?;
            let map = bo.1.map()?;
            let good = (0..map.len()).step_by(4).all(|at| map.read(at) == 0x600d);
            ensure!(good, "a BO after the resets");
        }
        Ok(())
    };
    let cpu = || -> Outcome {
        let rig = Rig::new()?;
        while !stop.load(Ordering::Relaxed) {
            let map = rig.visible(MIB)?.map()?;
            for at in (0..MIB as usize).step_by(PAGE as usize) {
                map.write(at, 1);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads = [scope.spawn(mover), scope.spawn(cpu)];
        let resets = || -> Outcome {
            let mut control = Control::open()?;
            let device = rgt::Device::open()?;
            for (number, reset) in kinds.iter().cycle().take(RESETS).enumerate() {
                thread::sleep(Duration::from_secs(2));
                let generation = device.vram_generation()?;
                reset.perform(&mut control, &device)?;
                let deadline = Instant::now() + PATIENCE;
                while device.vram_generation()? == generation {
                    ensure!(Instant::now() < deadline, "reset {number} is not noticed");
                }
                let told = device.vram_generation()?;
                same("generation", told, generation + 1)?;
            }
            Ok(())
        };
        let done = resets();
        stop.store(true, Ordering::Relaxed);
        let ended = threads.map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked")));
        done?;
        ended.into_iter().try_for_each(|end| end?)
    })
}
