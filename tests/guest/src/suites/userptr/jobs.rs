// SPDX-License-Identifier: GPL-2.0

//! Memory that changes under jobs which use it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rgt::checksum::of_fill;
use rustix::io::Errno;

use super::area::{Area, Bound};
use crate::expect::{fails, of_library, same};
use crate::harness::{Length, Outcome, SetOnDrop, Test, counted, tests};
use crate::rig::{Dice, PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    it_goes_when_they_have_ended,
    many_threads_at_once,
    given_up_again_and_again,
    bound_by_a_bind_that_waits,
];

const LEN: usize = 16 * PAGE as usize;

/// Who takes memory away waits for the jobs that may use it: they find it, and nothing else.
fn it_goes_when_they_have_ended() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(1);
    let expected = area.checksum();
    let bound = area.bind(&rig)?;
    bound.idle_job(&rig)?;
    let result = rig.gtt(8)?;
    let mut to = 0;
    let mut held = rig.held(rig.copy, |work| {
        to = work.writes(&result)?;
        work.commands.checksum(bound.addr(), LEN as u64, to)?;
        Ok(())
    })?;
    let (sender, receiver) = mpsc::channel();
    let area = &area;
    let gone = thread::scope(|scope| -> Result<_> {
        scope.spawn(move || {
            let done = area.punch(0, LEN);
            // The receiver is there until the scope ends.
            let _ = sender.send(done);
        });
        let early = receiver.recv_timeout(Duration::from_millis(300));
        ensure!(early.is_err(), "it was gone before the job had run");
        held.release()?;
        receiver.recv().context("no end")
    })?;
    gone?;
    same("what the job saw", result.map()?.read_u64(0), expected)
}

/// Threads of one process, each with memory of its own in one VM, which they give up all the time.
fn many_threads_at_once() -> Outcome {
    let rig = Rig::new()?;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..3)
            .map(|number| {
                let rig = &rig;
                scope.spawn(move || worker(rig, number))
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("a worker"))
    })
}

fn worker(rig: &Rig, number: u32) -> Outcome {
    let mut dice = Dice::new(number);
    let area = Area::anonymous(LEN)?;
    let mut bound = area.bind(rig)?;
    for round in 0..Length::choose(25, 3000) {
        let value = number << 24 | round;
        bound.fill(rig, value)?;
        let sum = of_fill(value, LEN as u64 / 4);
        same(
            &format!("worker {number}, round {round}"),
            area.checksum(),
            sum,
        )?;
        match dice.below(3) {
            0 => area.advise(0, LEN, libc::MADV_DONTNEED)?,
            1 => {
                drop(bound);
                bound = area.bind(rig)?;
            }
            _ => area.replace(0, LEN, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, None)?,
        }
    }
    Ok(())
}

/// While another thread gives pages up all the time, a job is submitted or refused within some time. One
/// that runs has the memory for itself.
fn given_up_again_and_again() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    let bound = area.bind(&rig)?;
    // Microseconds between two times, at most, and jobs.
    let ways = Length::choose(
        [(20_000, 20), (2000, 5), (0, 1)],
        [(20_000, 500), (2000, 50), (0, 4)],
    );
    for (most, jobs) in ways {
        let (over, times) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            let changer = scope.spawn(|| -> Outcome {
                let mut dice = Dice::new(most + 1);
                while !over.load(Ordering::Relaxed) {
                    area.advise(0, LEN, libc::MADV_DONTNEED)?;
                    times.fetch_add(1, Ordering::Relaxed);
                    if most != 0 {
                        thread::sleep(Duration::from_micros(dice.below(most).into()));
                    }
                }
                Ok(())
            });
            let work = || -> Outcome {
                let mut ran = 0;
                for number in 1..=jobs {
                    let before = times.load(Ordering::Relaxed);
                    ran += u64::from(ran_alone(&rig, &area, &bound, number)?);
                    while times.load(Ordering::Relaxed) == before {
                        ensure!(!changer.is_finished(), "nothing changes any more");
                        thread::yield_now();
                    }
                }
                counted(&format!("jobs, of {jobs} with changes each {most} us"), ran);
                Ok(())
            };
            let until_done = SetOnDrop(&over);
            let done = work();
            drop(until_done);
            let changed = changer.join().expect("the changer");
            done.and(changed)
        })?;
        same(
            "a job runs afterwards",
            ran_alone(&rig, &area, &bound, 0x77)?,
            true,
        )?;
    }
    Ok(())
}

/// Submits a job that fills memory which may change, and looks at it. Returns whether it ran: it is
/// refused when it would change again and again.
fn ran_alone(rig: &Rig, area: &Area, bound: &Bound, value: u32) -> Result<bool> {
    const BOUND: Duration = Duration::from_secs(60);
    let result = rig.gtt(8)?;
    let mut work = rig.work(rig.copy)?;
    let to = work.writes(&result)?;
    work.commands.fill(bound.addr(), LEN as u64, value)?;
    work.commands.checksum(bound.addr(), LEN as u64, to)?;
    let start = Instant::now();
    let submitted = of_library(work.submit());
    let time = start.elapsed();
    ensure!(time < BOUND, "a call took {time:?}: {submitted:?}");
    if submitted.is_err() {
        fails("a job", Errno::AGAIN, submitted)?;
        return Ok(false);
    }
    work.wait()?;
    let sum = of_fill(value, LEN as u64 / 4);
    same("what the job saw", result.map()?.read_u64(0), sum)?;
    // Each page is as the job left it, or has been given up since.
    for offset in (0..LEN).step_by(4) {
        let word = area.read(offset);
        ensure!(
            word == value || word == 0,
            "{word:#x} at {offset:#x} after {value:#x}"
        );
    }
    Ok(true)
}

/// A bind that waits maps what is there when its turn has come.
fn bound_by_a_bind_that_waits() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(1);
    let range = rig.vm.reserve(LEN as u64)?;
    let queue = rgt::BindQueue::create(&rig.vm)?;
    let fence = crate::peer::SwFence::new()?;
    let syncobj = rgt::Syncobj::of_sync_file(&rig.device, fence.file())?;
    let done = rgt::Syncobj::new(&rig.device)?;
    queue.bind(&[area.op(range.addr())], &[syncobj.sync()], &[done.sync()])?;
    // Neither does the change wait for it, nor a job that is not to be behind it.
    let start = Instant::now();
    area.advise(0, LEN, libc::MADV_DONTNEED)?;
    area.number(500);
    super::basic::submit(&rig)?;
    ensure!(start.elapsed() < Duration::from_secs(60), "it has waited");
    fence.signal()?;
    let result = rig.gtt(8)?;
    let mut work = rig.work(rig.copy)?;
    let to = work.writes(&result)?;
    work.wait_for(done.sync());
    work.commands.checksum(range.addr(), LEN as u64, to)?;
    work.run()?;
    same("what is bound", result.map()?.read_u64(0), area.checksum())
}
