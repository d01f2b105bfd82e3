// SPDX-License-Identifier: GPL-2.0

//! Order by syncobjs, with implicit sync out of the way.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rgt::uapi::{DRM_RGT_CS_BO_NO_IMPLICIT, DRM_RGT_CS_BO_WRITE};
use rgt::{
    Bo, Context, Device, Engine, FenceStatus, Ib, Job, Priority, SyncFile, Syncobj, WaitFrom,
};
use rustix::io::Errno;

use crate::expect::{fails, of_library, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PATIENCE, Rig, Work};

pub(super) const TESTS: &[Test] = tests![
    read_after_write,
    write_after_read,
    write_after_write,
    chain_through_all_engines,
    timeline,
    a_point_is_not_the_one_before,
    wait_before_submission,
    sync_files,
    between_clients,
];

const SIZE: u64 = MIB;
const ROUNDS: u32 = 8;

/// A job that uses BOs without a word about it to others.
fn hasty(rig: &Rig, engine: Engine, bos: [&Bo; 2]) -> Result<(Work, [u64; 2])> {
    let mut work = rig.work(engine)?;
    let flags = DRM_RGT_CS_BO_WRITE | DRM_RGT_CS_BO_NO_IMPLICIT;
    let [one, other] = bos;
    let at = [work.uses(one, flags)?, work.uses(other, flags)?];
    Ok((work, at))
}

/// Two jobs of two contexts on two engines, the second of which waits for the first.
fn pair(
    rig: &Rig,
    bos: [&Bo; 2],
    write: impl Fn(&mut Work, [u64; 2]) -> Result<()>,
    then: impl Fn(&mut Work, [u64; 2]) -> Result<()>,
) -> Outcome {
    let syncobj = Syncobj::new(&rig.device)?;
    let contexts = [Priority::Normal, Priority::Low].map(|it| Context::create(&rig.device, it));
    let [one, other] = contexts;
    let (mut first, at) = hasty(rig, rig.render, bos)?;
    first.context(&one?);
    write(&mut first, at)?;
    first.signal(syncobj.sync());
    let (mut second, at) = hasty(rig, rig.copy, bos)?;
    second.context(&other?);
    then(&mut second, at)?;
    second.wait_for(syncobj.sync());
    first.submit()?;
    second.submit()?;
    second.wait()?;
    first.wait()
}

fn last_word(bo: &Bo) -> Result<u32> {
    Ok(bo.map()?.read(SIZE as usize - 4))
}

fn read_after_write() -> Outcome {
    let rig = Rig::new()?;
    let (bo, target) = (rig.vram(SIZE)?, rig.gtt(SIZE)?);
    for round in 1..=ROUNDS {
        pair(
            &rig,
            [&bo, &target],
            |work, [bo, _]| {
                for value in [0, 1, round] {
                    work.commands.fill(bo, SIZE, value)?;
                }
                Ok(())
            },
            |work, [bo, target]| Ok(work.commands.copy(bo, target, SIZE).map(drop)?),
        )?;
        same("what was read", last_word(&target)?, round)?;
    }
    Ok(())
}

fn write_after_read() -> Outcome {
    let rig = Rig::new()?;
    let (bo, target) = (rig.gtt(SIZE)?, rig.gtt(SIZE)?);
    for round in 1..=ROUNDS {
        rig.fill(&bo, round)?;
        pair(
            &rig,
            [&bo, &target],
            |work, [bo, target]| {
                for _ in 0..3 {
                    work.commands.checksum(bo, SIZE, target)?;
                }
                Ok(work.commands.copy(bo, target, SIZE).map(drop)?)
            },
            |work, [bo, _]| Ok(work.commands.fill(bo, SIZE, !round).map(drop)?),
        )?;
        same("what was read", last_word(&target)?, round)?;
        same("what was written", last_word(&bo)?, !round)?;
    }
    Ok(())
}

fn write_after_write() -> Outcome {
    let rig = Rig::new()?;
    let (bo, spare) = (rig.gtt(SIZE)?, rig.gtt(SIZE)?);
    for round in 1..=ROUNDS {
        pair(
            &rig,
            [&bo, &spare],
            |work, [bo, _]| {
                for _ in 0..4 {
                    work.commands.fill(bo, SIZE, round)?;
                }
                Ok(())
            },
            |work, [bo, _]| Ok(work.commands.fill(bo, SIZE, !round).map(drop)?),
        )?;
        same("the last write", last_word(&bo)?, !round)?;
    }
    Ok(())
}

/// Each job adds to what the last one left, on the next engine.
fn chain_through_all_engines() -> Outcome {
    const LENGTH: usize = 48;
    let rig = Rig::new()?;
    let (bo, spare) = (rig.visible(SIZE)?, rig.gtt(SIZE)?);
    rig.fill(&bo, 0)?;
    let engines = rig.device.engines();
    let links: Vec<_> = (0..LENGTH)
        .map(|_| Syncobj::new(&rig.device))
        .collect::<rgt::Result<_>>()?;
    let mut works = Vec::new();
    for step in 0..LENGTH {
        let (mut work, [at, _]) = hasty(&rig, engines[step % engines.len()], [&bo, &spare])?;
        // Word n + 1 becomes word n + 1.
        let word = at + step as u64 * 8;
        work.commands
            .copy(word, word + 8, 8)?
            .atomic_add(word + 8, 1, 0)?;
        work.signal(links[step].sync());
        if let Some(before) = step.checked_sub(1) {
            work.wait_for(links[before].sync());
        }
        work.submit()?;
        works.push(work);
    }
    works.iter_mut().try_for_each(|work| work.wait())?;
    same(
        "the last word",
        bo.map()?.read_u64(LENGTH * 8),
        LENGTH as u64,
    )
}

/// Points of one timeline, each waited for by the next job.
fn timeline() -> Outcome {
    const POINTS: u64 = 40;
    let rig = Rig::new()?;
    let (bo, spare) = (rig.visible(SIZE)?, rig.gtt(SIZE)?);
    rig.fill(&bo, 0)?;
    let line = Syncobj::new(&rig.device)?;
    let engines = rig.device.engines();
    let mut works = Vec::new();
    for point in 1..=POINTS {
        let (mut work, [at, _]) =
            hasty(&rig, engines[point as usize % engines.len()], [&bo, &spare])?;
        let word = at + point * 8;
        work.commands
            .copy(word - 8, word, 8)?
            .atomic_add(word, 1, 0)?;
        // Points need not be next to each other.
        work.signal(line.at(point * 10));
        if point > 1 {
            work.wait_for(line.at((point - 1) * 10));
        }
        work.submit()?;
        works.push(work);
    }
    same("submitted", line.submitted()?, POINTS * 10)?;
    // Any point up to one that is there will do.
    line.wait_at(POINTS * 10 - 3, PATIENCE, WaitFrom::Now)?;
    same("reached", line.reached()?, POINTS * 10)?;
    same(
        "the last word",
        bo.map()?.read_u64(POINTS as usize * 8),
        POINTS,
    )?;
    works.iter_mut().try_for_each(|work| work.wait())
}

fn a_point_is_not_the_one_before() -> Outcome {
    const A_WHILE: Duration = Duration::from_millis(300);
    let rig = Rig::new()?;
    let line = Syncobj::new(&rig.device)?;
    let mut first = rig.work(rig.copy)?;
    first.commands.nop()?;
    first.signal(line.at(1));
    first.submit()?;
    first.wait()?;
    let second = rig.held(rig.render, |work| {
        work.signal(line.at(2));
        Ok(())
    })?;
    let mut waiter = rig.work(rig.copy)?;
    waiter.commands.nop()?;
    waiter.wait_for(line.at(2));
    waiter.submit()?;
    thread::sleep(A_WHILE);
    ensure!(waiter.is_pending()?, "the first point was enough");
    second.finish()?;
    waiter.wait()?;
    // Nor is the last one there is.
    let mut early = rig.work(rig.copy)?;
    early.commands.nop()?;
    early.wait_for(line.at(3));
    fails("too early", Errno::INVAL, of_library(early.submit()))
}

/// The kernel takes no promises: who wants to wait for a job that is not there yet waits until it
/// is, by DRM's own calls.
fn wait_before_submission() -> Outcome {
    let rig = Rig::new()?;
    let (bo, target) = (rig.gtt(SIZE)?, rig.gtt(SIZE)?);
    for point in [None, Some(7)] {
        let line = Syncobj::new(&rig.device)?;
        let sync = || point.map_or(line.sync(), |point| line.at(point));
        let (mut consumer, [from, to]) = hasty(&rig, rig.copy, [&bo, &target])?;
        consumer.commands.copy(from, to, SIZE)?;
        consumer.wait_for(sync());
        let ib = Ib {
            addr: from,
            dwords: 1,
        };
        let early = Job::new(&rig.vm, rig.copy).ib(ib).wait_for(sync());
        fails("too early", Errno::INVAL, early.submit())?;

        let (mut producer, [from, _]) = hasty(&rig, rig.render, [&bo, &target])?;
        let value = 0x7000 + point.unwrap_or(0) as u32;
        producer
            .commands
            .fill(from, SIZE, 0)?
            .fill(from, SIZE, value)?;
        producer.signal(sync());
        thread::scope(|scope| {
            let late = scope.spawn(|| -> Outcome {
                thread::sleep(Duration::from_millis(200));
                producer.submit()
            });
            match point {
                None => line.wait(PATIENCE, WaitFrom::Submission)?,
                Some(point) => line.wait_available(point, PATIENCE)?,
            }
            late.join()
                .map_err(|_| anyhow::anyhow!("a thread panicked"))?
        })?;
        consumer.submit().context("once its fence is there")?;
        consumer.wait()?;
        producer.wait()?;
        same("what was read", last_word(&target)?, value)?;
    }
    Ok(())
}

/// A fence goes through a file and back, and can be polled on its way.
fn sync_files() -> Outcome {
    let rig = Rig::new()?;
    let (bo, target) = (rig.gtt(SIZE)?, rig.gtt(SIZE)?);
    let done = Syncobj::new(&rig.device)?;
    fails("without a fence", Errno::INVAL, done.sync_file())?;
    let mut first = rig.held(rig.render, |work| {
        let at = work.uses(&bo, DRM_RGT_CS_BO_WRITE | DRM_RGT_CS_BO_NO_IMPLICIT)?;
        work.commands.fill(at, SIZE, 0xf11e)?;
        work.signal(done.sync());
        Ok(())
    })?;
    let file: SyncFile = done.sync_file()?;
    same("status", file.status()?, FenceStatus::Pending)?;
    ensure!(
        matches!(file.wait(Duration::ZERO), Err(rgt::Error::TimedOut)),
        "a file that is ready too early"
    );
    let imported = Syncobj::of_sync_file(&rig.device, &file)?;
    let (mut reader, [from, to]) = hasty(&rig, rig.copy, [&bo, &target])?;
    reader.commands.copy(from, to, SIZE)?;
    reader.wait_for(imported.sync());
    reader.submit()?;
    first.release()?;
    file.wait(PATIENCE)?;
    same("status", file.status()?, FenceStatus::Done)?;
    reader.wait()?;
    same("what was read", last_word(&target)?, 0xf11e)?;
    first.finish()
}

/// A syncobj that two clients share.
fn between_clients() -> Outcome {
    let (rig, other) = (Rig::new()?, Rig::on(&Device::open()?)?);
    let ours = Syncobj::new(&rig.device)?;
    let theirs = Syncobj::open(&other.device, std::os::fd::AsFd::as_fd(&ours.share()?))?;
    let mut first = rig.held(rig.render, |work| {
        work.signal(ours.sync());
        Ok(())
    })?;
    let mut waiter = other.work(other.copy)?;
    waiter.wait_for(theirs.sync());
    let after = Syncobj::new(&other.device)?;
    waiter.signal(after.sync());
    waiter.commands.nop()?;
    waiter.submit()?;
    ensure!(
        matches!(
            after.wait(Duration::ZERO, WaitFrom::Now),
            Err(rgt::Error::TimedOut)
        ),
        "the other client's job did not wait"
    );
    first.release()?;
    after.wait(PATIENCE, WaitFrom::Now)?;
    ensure!(
        !first.is_pending()?,
        "the job that it waited for still runs"
    );
    // A reset by one is seen by the other.
    ours.reset()?;
    fails("none any more", Errno::INVAL, theirs.sync_file())?;
    waiter.wait()?;
    first.finish()
}
