// SPDX-License-Identifier: GPL-2.0

//! Moves one behind the other on the same copy engine: the second fills the memory that the first
//! one leaves, and the CPU hears of neither's end before both are done.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rgt::abi::regs::VECTOR_ENGINE0;
use rgt::{
    Bo, Context as GpuContext, FenceStatus, Placement, Priority, RegionKind, Syncobj, WaitFrom,
};
use rustix::io::Errno;

use super::{CHUNK, OWN, SECRET};
use crate::expect::same;
use crate::harness::{Control, LONG, Outcome, Test, tests};
use crate::rig::{HIDDEN, MIB, PAGE, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    LONG;
    a_move_in_behind_a_move_out,
    a_job_behind_a_move_that_fails,
];

/// Messages of the engine that are lost, so that the CPU hears of its jobs late.
const LOST: u32 = 8;
/// Jobs that read all the time.
const READERS: usize = 6;
/// Reads of one of their indirect buffers, and these of one job.
const READS: usize = 4096;
const IBS: usize = 60;

fn place(bo: &Bo) -> Result<Placement> {
    Ok(bo.info()?.current_placement)
}

/// BOs of a client in what is free of VRAM, but for `leave` bytes.
fn occupy(rig: &Rig, leave: u64) -> Result<Vec<Bo>> {
    let vram = rig.device.region(RegionKind::Vram)?;
    let vram = vram.context("there is VRAM")?;
    let count = (vram.size - vram.used).saturating_sub(leave) / CHUNK;
    let bos = (0..count)
        .map(|_| rig.bo(CHUNK, HIDDEN))
        .collect::<Result<Vec<_>>>()?;
    bos.iter().try_for_each(|bo| rig.fill(bo, 7))?;
    Ok(bos)
}

/// Has a BO evicted by a client that goes again.
fn evict(rig: &Rig, bo: &Bo) -> Outcome {
    let all = occupy(rig, 0)?;
    let more = rig.bo(CHUNK, HIDDEN)?;
    rig.fill(&more, 7)?;
    ensure!(place(bo)? != Placement::VRAM, "it was not evicted");
    drop((all, more));
    thread::sleep(Duration::from_millis(500));
    Ok(())
}

/// A reader has a BO bound that moves out of VRAM, and does not name it. The BO of a victim moves in.
fn a_move_in_behind_a_move_out() -> Outcome {
    let mut control = Control::open()?;
    let reader = Rig::new()?;
    let (victim, filler, clearer, busy) = (Rig::new()?, Rig::new()?, Rig::new()?, Rig::new()?);
    let (engine, other) = (reader.copy, reader.device.engines()[2]);
    let secret = victim.bo(CHUNK, HIDDEN)?;
    victim.fill(&secret, SECRET)?;
    evict(&reader, &secret)?;
    busy.busy(other, Duration::from_millis(10), |_| Ok(()))?
        .settle()?;

    let moving = reader.bo(CHUNK, HIDDEN)?;
    let seen = reader.gtt(PAGE)?;
    let (from, to) = (reader.vm.map(&moving)?, reader.vm.map(&seen)?);
    reader.fill(&moving, OWN)?;
    reader.fill(&seen, OWN)?;
    let mut fillers = occupy(&filler, 14 * MIB)?;
    let (scratch, sum) = (reader.gtt(64 << 10)?, reader.gtt(PAGE)?);
    let readers = (0..READERS)
        .map(|_| {
            let mut work = reader.work_of(reader.render, READS * 14 + 64)?;
            let (slow, sum) = (work.reads(&scratch)?, work.writes(&sum)?);
            work.job = work.job.clone().write(&seen);
            for _ in 0..READS {
                let last = from.addr() + CHUNK - PAGE;
                work.commands.copy(last, to.addr(), 4)?;
                work.commands.checksum(slow, 32768, sum)?;
            }
            let ib = work.commands.take();
            for _ in 0..IBS {
                work.job = work.job.clone().ib(ib);
            }
            Ok(work)
        })
        .collect::<Result<Vec<_>>>()?;

    // What the move out waits for.
    let context = GpuContext::create(&reader.device, Priority::Normal)?;
    let mut hold = reader.held(other, |work| {
        work.context(&context);
        work.job = work.job.clone().write(&moving);
        Ok(())
    })?;
    // The other copy engine has jobs of the kernel, so that moves take this one.
    let mut long = busy.busy(other, Duration::from_millis(2500), |_| Ok(()))?;
    let fresh = (0..8)
        .map(|_| clearer.bo(MIB, HIDDEN))
        .collect::<Result<Vec<_>>>()?;
    let mut clears = clearer.work(engine)?;
    for bo in &fresh {
        clears.writes(bo)?;
    }
    clears.commands.nop()?;
    clears.submit()?;
    // All others are used after the BO.
    fillers.extend(occupy(&filler, 0)?);
    let mut touch = filler.work(engine)?;
    for bo in &fillers {
        touch.reads(bo)?;
    }
    touch.commands.nop()?;
    touch.run()?;

    for work in &readers {
        work.job.submit()?;
    }
    let mut work = victim.work(engine)?;
    let at = work.writes(&secret)?;
    work.commands.write(at, &[1])?;
    work.submit()?;
    ensure!(place(&moving)? != Placement::VRAM, "it was not evicted");
    let lose = |count| format!("lose 0 {} {count}", VECTOR_ENGINE0 + engine.id);
    control.send(&lose(LOST))?;
    hold.release()?;
    let done = work.wait();
    control.send(&lose(0))?;
    done?;
    for work in &readers {
        work.commands.wait(PATIENCE)?;
    }
    long.settle()?;
    hold.finish()?;
    clears.wait()?;
    same("the last word that was read", seen.map()?.read(0), OWN)
}

/// The move of a BO fails, and a job on the same engine comes after it.
fn a_job_behind_a_move_that_fails() -> Outcome {
    let mut control = Control::open()?;
    let (rig, other) = (Rig::new()?, Rig::new()?);
    let (moving, result) = (rig.bo(CHUNK, HIDDEN)?, rig.gtt(CHUNK)?);
    rig.fill(&moving, OWN)?;
    rig.fill(&result, 0)?;
    evict(&other, &moving)?;

    let mut work = rig.work(rig.copy)?;
    let to = work.writes(&result)?;
    let done = Syncobj::new(&rig.device)?;
    work.signal(done.sync());
    // Once for the move, which the bind begins, and once for the time that it is tried again.
    let hang = format!("hang 0 {}", rig.copy.id);
    control.send(&hang)?;
    let from = work.reads(&moving)?;
    work.commands.copy(from, to, CHUNK)?;
    work.submit()?;
    let file = done.sync_file()?;
    thread::sleep(Duration::from_secs(3));
    control.send(&hang)?;
    done.wait(PATIENCE, WaitFrom::Now)?;
    same(
        "the job's fence",
        file.status()?,
        FenceStatus::Failed(Errno::IO),
    )?;
    let map = result.map()?;
    let copied = (0..map.len()).step_by(4).any(|at| map.read(at) != 0);
    ensure!(!copied, "the job ran");
    Ok(())
}
