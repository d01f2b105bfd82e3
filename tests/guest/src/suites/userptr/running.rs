// SPDX-License-Identifier: GPL-2.0

//! Memory that changes while an engine runs a job that uses it.

use std::io::{Read, Write};
use std::mem;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rgt::checksum::of_fill;
use rgt::{Cause, Context, Priority};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::area::{Area, Bound};
use super::basic::submit;
use super::files::{memory_file, shared};
use crate::expect::{fails, same};
use crate::harness::{End, Outcome, Test, Used, in_child, meeting, tests};
use crate::rig::{MIB, PAGE, PATIENCE, Rig};
use crate::suites::reset::verdict;

pub(super) const TESTS: &[Test] = tests![
    given_up_under_a_job,
    protected_under_a_job,
    moved_away_under_a_job,
    unmapped_under_a_job,
    truncated_under_a_job,
    forked_under_a_job,
    given_up_under_a_job_that_hangs,
    ended_under_its_job,
    killed_under_its_job,
    executes_under_its_job,
];

const LEN: usize = 16 * PAGE as usize;
/// What a job leaves all over the memory.
const MARK: u32 = 0x600d_f00d;

/// The helper whose process ends, in one of these ways, while its job runs.
pub(in crate::suites) const LEAVER: &str = "leaver";
const EXITS: &str = "exits";
const EXECUTES: &str = "executes";
const IS_KILLED: &str = "is-killed";
/// Bytes of the helper's memory.
const LARGE: usize = 4 * MIB as usize;

/// Memory that has changed under a job.
struct Changed<T> {
    bound: Bound,
    area: Area,
    rig: Rig,
    answer: T,
}

/// Has memory changed while a job runs that sums all of it, and then marks all of it. Both are over when
/// the change is: the job has had what was there before.
fn under_a_job<T>(
    make: impl Fn() -> Result<Area>,
    change: impl Fn(&Area) -> Result<T>,
) -> Result<Changed<T>> {
    // Where the machine is slow, a job may end before the change comes.
    for seconds in [1, 2, 4] {
        let rig = Rig::new()?;
        let area = make()?;
        area.number(1);
        let expected = area.checksum();
        let bound = area.bind(&rig)?;
        let result = rig.gtt(8)?;
        let busy = rig.busy(rig.copy, Duration::from_secs(seconds), |work| {
            let to = work.writes(&result)?;
            work.commands.checksum(bound.addr(), LEN as u64, to)?;
            work.commands.fill(bound.addr(), LEN as u64, MARK)?;
            Ok(())
        })?;
        busy.begins()?;

        let runs = busy.runs()?;
        let answer = change(&area)?;
        ensure!(!busy.runs()?, "it has changed while the job ran");
        busy.wait()?;
        same("what the job saw", result.map()?.read_u64(0), expected)?;
        if runs {
            return Ok(Changed {
                bound,
                area,
                rig,
                answer,
            });
        }
    }
    bail!("no job ran when its memory was to change");
}

fn anonymous() -> Result<Area> {
    Area::anonymous(LEN)
}

/// Nothing that the job wrote is in the pages that come after those.
pub(super) fn given_up_under_a_job() -> Outcome {
    let it = under_a_job(anonymous, |area| area.advise(0, LEN, libc::MADV_DONTNEED))?;
    same("anew", it.area.checksum(), of_fill(0, LEN as u64 / 4))?;
    it.area.number(7);
    same("sum", it.bound.checksum(&it.rig)?, it.area.checksum())
}

fn protected_under_a_job() -> Outcome {
    let it = under_a_job(anonymous, |area| area.protect(libc::PROT_READ))?;
    let marked = of_fill(MARK, LEN as u64 / 4);
    same("the memory", it.area.checksum(), marked)?;
    same("a write goes on", it.bound.write(&it.rig, 0, 7)?, false)?;
    same("afterwards", it.bound.checksum(&it.rig)?, marked)
}

fn moved_away_under_a_job() -> Outcome {
    let it = under_a_job(anonymous, Area::move_away)?;
    let marked = of_fill(MARK, LEN as u64 / 4);
    same("where it is", it.answer.checksum(), marked)?;
    it.bound.fill(&it.rig, 9)?;
    let filled = of_fill(9, LEN as u64 / 4);
    same("where it was", it.area.checksum(), filled)?;
    same("where it is, still", it.answer.checksum(), marked)
}

pub(super) fn unmapped_under_a_job() -> Outcome {
    let it = under_a_job(anonymous, |area| area.punch(PAGE as usize, PAGE as usize))?;
    fails("with a hole", Errno::FAULT, submit(&it.rig))?;
    same("beside it", it.area.read(2 * PAGE as usize), MARK)
}

fn truncated_under_a_job() -> Outcome {
    let file = memory_file(LEN)?;
    let it = under_a_job(
        || {
            file.set_len(LEN as u64)?;
            shared(&file, LEN)
        },
        |_| Ok(file.set_len(LEN as u64 / 2)?),
    )?;
    fails("past the end", Errno::FAULT, submit(&it.rig))?;
    file.set_len(LEN as u64)?;
    let ends = (it.area.read(LEN / 2 - 4), it.area.read(LEN / 2));
    same("around the end", ends, (MARK, 0))?;
    same("sum", it.bound.checksum(&it.rig)?, it.area.checksum())
}

/// The child has what the job has left, and the parent's jobs do not reach it.
pub(super) fn forked_under_a_job() -> Outcome {
    let it = under_a_job(anonymous, |area| {
        in_child(|| {
            let seen = (0..LEN).step_by(4).all(|at| area.read(at) == MARK);
            area.write(0, 1);
            u8::from(seen)
        })
    })?;
    same("the child sees it", it.answer, End::Exit(1))?;
    let marked = of_fill(MARK, LEN as u64 / 4);
    same("the parent's", it.bound.checksum(&it.rig)?, marked)
}

/// The change waits until the driver has ended the job.
fn given_up_under_a_job_that_hangs() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(1);
    let bound = area.bind(&rig)?;
    let guilty = Context::create(&rig.device, Priority::Normal)?;
    let mut busy = rig.endless(rig.copy, |work| {
        work.context(&guilty);
        work.commands.fill(bound.addr(), LEN as u64, MARK)?;
        Ok(())
    })?;
    busy.begins()?;
    let start = Instant::now();
    area.advise(0, LEN, libc::MADV_DONTNEED)?;
    let time = start.elapsed();
    ensure!(!busy.runs()?, "it has changed while the job ran");
    ensure!(time < PATIENCE, "it took {time:?}");
    busy.settle()?;
    verdict("who hung", &guilty, Some(Cause::Hang), true)?;
    same("anew", area.checksum(), of_fill(0, LEN as u64 / 4))?;

    let fresh = Context::create(&rig.device, Priority::Normal)?;
    let mut work = rig.work(rig.copy)?;
    work.context(&fresh);
    work.commands.fill(bound.addr(), LEN as u64, 5)?;
    work.run()?;
    same("afterwards", area.checksum(), of_fill(5, LEN as u64 / 4))
}

/// The helper: has a job run that fills its memory in the end, and ends before.
pub(in crate::suites) fn leave(arguments: &[&str]) -> Outcome {
    let [name, how] = arguments else {
        bail!("expected a socket and how to end, got {arguments:?}");
    };
    let mut socket = meeting::connect(name)?;
    let rig = Rig::new()?;
    let area = Area::anonymous(LARGE)?;
    area.number(1);
    let bound = area.bind(&rig)?;
    let busy = rig.busy(rig.copy, Duration::from_secs(4), |work| {
        work.commands.fill(bound.addr(), LARGE as u64, MARK)?;
        Ok(())
    })?;
    busy.begins()?;
    ensure!(busy.runs()?, "the job is over already");
    socket.write_all(&[1])?;
    // The end of the process is what takes all of it away.
    mem::forget((rig, area, bound, busy));
    match *how {
        EXITS => Ok(()),
        EXECUTES => Err(Command::new("/bin/true").exec()).context("exec"),
        _ => {
            thread::sleep(2 * PATIENCE);
            bail!("it was not killed");
        }
    }
}

/// A process ends while its job runs, whose memory nobody else has before that is over.
fn leaves(how: &str) -> Outcome {
    let before = Used::now()?;
    let rig = Rig::new()?;
    submit(&rig)?;
    let (helper, mut socket) = meeting::start(LEAVER, how)?;
    meeting::arrives(&socket)?;
    socket
        .read_exact(&mut [0])
        .context("its job does not run")?;
    if how == IS_KILLED {
        let pid = Pid::from_raw(helper.pid() as i32).context("a process has a number")?;
        kill_process(pid, Signal::KILL).context("it ended early")?;
    }
    let status = helper.end(PATIENCE)?;
    ensure!(status.success() != (how == IS_KILLED), "{status}");

    let area = Area::anonymous(2 * LARGE)?;
    area.number(7);
    let expected = area.checksum();
    // Behind its job, which is on the same engine.
    submit(&rig)?;
    same("memory that came after it", area.checksum(), expected)?;
    let bound = area.bind(&rig)?;
    same("for the GPU", bound.checksum(&rig)?, expected)?;
    drop((bound, area, rig));
    before.wait_until_back()
}

fn ended_under_its_job() -> Outcome {
    leaves(EXITS)
}

fn killed_under_its_job() -> Outcome {
    leaves(IS_KILLED)
}

fn executes_under_its_job() -> Outcome {
    leaves(EXECUTES)
}
