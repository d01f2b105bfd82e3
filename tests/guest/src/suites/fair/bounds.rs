// SPDX-License-Identifier: GPL-2.0

//! What a client takes of the kernel's memory: the number of its queued jobs is bounded, and their
//! memory, and that of its page tables, is charged to it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rgt::{BindOp, Context, Ib, Job, Priority, Syncobj};
use rustix::io::Errno;

use crate::expect::fails;
use crate::harness::{Outcome, Test, tests};
use crate::peer::SwFence;
use crate::rig::{MIB, MemoryGroup, PAGE, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    queue_is_bounded,
    jobs_are_charged,
    points_are_charged,
    page_tables_are_charged,
];

/// The most jobs of a context that are queued or running on an engine.
const MOST: usize = 1000;

fn queue_is_bounded() -> Outcome {
    let rig = Rig::new()?;
    let fence = SwFence::new()?;
    let begin = Syncobj::of_sync_file(&rig.device, fence.file())?;
    let contexts = [Priority::Normal, Priority::Low].map(|it| Context::create(&rig.device, it));
    let [full, other] = contexts;
    let (full, other) = (full?, other?);
    let mut work = rig.work(rig.copy)?;
    work.commands.nop()?;
    let ib = work.commands.take();
    let job = Job::new(&rig.vm, rig.copy).ib(ib).context(&full);
    let held = job.clone().wait_for(begin.sync());

    for number in 0..MOST {
        held.submit().with_context(|| format!("job {number}"))?;
    }
    fails("one job more", Errno::AGAIN, held.submit())?;
    fails("one that need not wait", Errno::AGAIN, job.submit())?;
    // Neither another engine, nor another context, nor another client is concerned.
    let on_render = Job::new(&rig.vm, rig.render).ib(ib).context(&full);
    on_render.submit().context("another engine")?;
    job.clone()
        .context(&other)
        .submit()
        .context("another context")?;
    let stranger = Rig::new()?;
    let mut work_of_stranger = stranger.work(stranger.copy)?;
    work_of_stranger.commands.nop()?;
    work_of_stranger.run().context("another client")?;

    fence.signal()?;
    work.commands.wait(PATIENCE)?;
    // A job has its place until it is freed, soon after its end.
    loop {
        match job.submit() {
            Err(error) if error.errno() == Some(Errno::AGAIN) => {}
            result => {
                result?;
                break;
            }
        }
    }
    work.commands.wait(PATIENCE)?;
    Ok(())
}

/// Queues jobs that `with` adds to, and checks that each is charged with so many bytes at least.
fn is_charged(
    jobs: u64,
    least: u64,
    mut with: impl FnMut(&Rig, Job, Ib) -> Result<Job>,
) -> Outcome {
    let rig = Rig::new()?;
    let fence = SwFence::new()?;
    let begin = Syncobj::of_sync_file(&rig.device, fence.file())?;
    let mut work = rig.work(rig.copy)?;
    work.commands.nop()?;
    let ib = work.commands.take();
    let group = MemoryGroup::new()?;
    let mut queue = || -> Outcome {
        let job = Job::new(&rig.vm, rig.copy).ib(ib).wait_for(begin.sync());
        Ok(with(&rig, job, ib)?.submit()?)
    };

    // What is allocated once is there afterwards.
    queue()?;
    let before = group.charged()?;
    for _ in 0..jobs {
        queue()?;
    }
    let each = group.charged()?.saturating_sub(before) / jobs;
    fence.signal()?;
    work.commands.wait(PATIENCE)?;
    ensure!(each >= least, "a job is charged with {each} bytes");
    Ok(())
}

fn jobs_are_charged() -> Outcome {
    const IBS: u64 = 63;
    // An address and a length for each indirect buffer, the job and its fences.
    is_charged(400, IBS * 16 + 600, |_, job, ib| {
        Ok((0..IBS).fold(job, |job, _| job.ib(ib)))
    })
}

/// Each job has a timeline of its own: the kernel walks all points of one that have not signalled
/// for each that is added.
fn points_are_charged() -> Outcome {
    const POINTS: u64 = 128;
    let mut lines = Vec::new();
    is_charged(64, POINTS * 96, |rig, job, _| {
        let line = Syncobj::new(&rig.device)?;
        let job = (1..=POINTS).fold(job, |job, point| job.signal(line.at(point)));
        lines.push(line);
        Ok(job)
    })
}

/// Those that are empty are freed, and the charge goes with them, if the VM needs none for a while.
fn page_tables_are_charged() -> Outcome {
    const TABLES: u64 = 512;
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    // One page of each table of the last level.
    let range = rig.vm.reserve((TABLES + 1) * 2 * MIB)?;
    let at = |table: u64| range.addr().next_multiple_of(2 * MIB) + table * 2 * MIB;
    let group = MemoryGroup::new()?;

    // What is allocated once is there afterwards.
    rig.vm.bind(&[BindOp::map(&bo, 0, at(0), PAGE)])?;
    let before = group.charged()?;
    for table in 1..TABLES {
        rig.vm.bind(&[BindOp::map(&bo, 0, at(table), PAGE)])?;
    }
    let each = group.charged()?.saturating_sub(before) / TABLES;
    ensure!(each >= PAGE, "a table is charged with {each} bytes");

    rig.vm.bind(&[BindOp::unmap(at(0), TABLES * 2 * MIB)])?;
    let end = Instant::now() + PATIENCE;
    loop {
        let left = group.charged()?.saturating_sub(before) / TABLES;
        if left < PAGE / 4 {
            return Ok(());
        }
        let why = format!("{left} bytes a table are charged for none");
        ensure!(Instant::now() < end, why);
        thread::sleep(Duration::from_millis(50));
    }
}
