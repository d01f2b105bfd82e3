// SPDX-License-Identifier: GPL-2.0

//! Clients whose jobs each fit, but not together, take turns.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rgt::{Bo, BoFlags, Placement};

use super::{SMALL, VRAM_ONLY, VRAM_OR_GTT, bos, check, percent, vram, writing};
use crate::harness::{Helper, Outcome, Test, say, tests};
use crate::rig::{MIB, Make, Rig};

pub(super) const TESTS: &[Test] = tests![
    sixty_percent_twice,
    a_little_more_than_half_twice,
    mixed_clients,
    memory_of_the_deleted_is_waited_for,
    a_job_that_waits_for_room_stops_no_other,
    a_job_that_does_not_fit_stops_no_other,
];

/// The helper that submits one job.
pub(in super::super) const SUBMITTER: &str = "room-submitter";

/// How long clients compete.
const CONTEST: Duration = Duration::from_secs(15);

/// How long a small job of another client may take to be submitted.
const SOON: Duration = Duration::from_secs(1);

/// How long a process may take to begin, and to die.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a killed process may take to be gone.
const KILLED: Duration = Duration::from_secs(1);

/// A client of a contest: how much of VRAM it uses, of which kind.
struct Client {
    percent: u64,
    make: Make,
}

/// The BOs of a client's jobs.
struct Contestant {
    rig: Rig,
    bos: Vec<Bo>,
}

impl Client {
    fn start(&self) -> Result<Contestant> {
        let rig = Rig::new()?;
        let bos = bos(&rig, percent(&rig, self.percent)?, self.make)?;
        Ok(Contestant { rig, bos })
    }
}

impl Contestant {
    /// Submits jobs that use all BOs, one after the other. Returns how many there were.
    fn run(&self, until: Instant) -> Result<u32> {
        let mut rounds = 0;
        while Instant::now() < until {
            let work = writing(&self.rig, &self.bos, rounds * 1000)?;
            work.run().with_context(|| format!("job {rounds}"))?;
            rounds += 1;
        }
        ensure!(rounds != 0, "no job in all the time");
        check(&self.rig, &self.bos, (rounds - 1) * 1000)?;
        Ok(rounds)
    }
}

/// Has clients compete for VRAM. None of their jobs may fail, and each client makes progress.
///
/// Those that use half of VRAM or more shut each other out, and take turns. A smaller one fits
/// beside each of them, and need not wait for them.
fn contest(clients: &[Client]) -> Outcome {
    let contestants = clients
        .iter()
        .map(Client::start)
        .collect::<Result<Vec<_>>>()?;
    let until = Instant::now() + CONTEST;
    let counts = thread::scope(|scope| {
        let threads: Vec<_> = contestants
            .iter()
            .map(|contestant| scope.spawn(move || contestant.run(until)))
            .collect();
        threads
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(count) => count,
                Err(_) => bail!("a client panicked"),
            })
            .collect::<Result<Vec<_>>>()
    })?;
    say(&format!("jobs of the clients: {counts:?}"));
    let in_turns = || {
        let pairs = clients.iter().zip(&counts);
        pairs.filter_map(|(client, count)| (client.percent >= 50).then_some(count))
    };
    if let (Some(least), Some(most)) = (in_turns().min(), in_turns().max()) {
        ensure!(least * 8 >= *most, "they do not take turns: {counts:?}");
    }
    Ok(())
}

fn sixty_percent_twice() -> Outcome {
    contest(&[
        Client {
            percent: 60,
            make: VRAM_ONLY,
        },
        Client {
            percent: 60,
            make: VRAM_ONLY,
        },
    ])
}

fn a_little_more_than_half_twice() -> Outcome {
    contest(&[
        Client {
            percent: 51,
            make: VRAM_ONLY,
        },
        Client {
            percent: 51,
            make: VRAM_ONLY,
        },
    ])
}

fn mixed_clients() -> Outcome {
    contest(&[
        Client {
            percent: 60,
            make: |bo| bo.placement(Placement::VRAM).flags(BoFlags::NO_CPU_ACCESS),
        },
        Client {
            percent: 20,
            make: |bo| bo.placement(Placement::VRAM).flags(BoFlags::CPU_ACCESS),
        },
        Client {
            percent: 50,
            make: |bo| bo.placement(Placement::VRAM).flags(BoFlags::CONTIGUOUS),
        },
        Client {
            percent: 70,
            make: VRAM_OR_GTT,
        },
    ])
}

/// The helper: submits a job that uses so many percent of VRAM, or none.
pub(in super::super) fn submit(arguments: &[&str]) -> Outcome {
    let [share] = arguments else {
        bail!("expected a percentage")
    };
    let rig = Rig::new()?;
    let bos = bos(&rig, percent(&rig, share.parse()?)?, VRAM_ONLY)?;
    let mut work = writing(&rig, &bos, 1)?;
    work.commands.nop()?;
    let start = Instant::now();
    work.submit()?;
    let time = start.elapsed();
    say(&format!("CS with {share} % of VRAM took {time:?}"));
    work.wait()
}

fn submitter(percent: u64) -> Result<Helper> {
    Helper::start(SUBMITTER, &[percent.to_string()])
}

/// A small job of a client of its own is submitted soon.
fn small_job_is_soon_submitted() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(MIB)?;
    // The page tables and the command buffer are there already.
    writing(&rig, [&bo], 1)?.run()?;
    let mut work = writing(&rig, [&bo], 2)?;
    let start = Instant::now();
    work.submit()?;
    let time = start.elapsed();
    ensure!(time < SOON, "a small job took {time:?}");
    work.wait()
}

/// A client whose job does not end, and whose BOs in VRAM are deleted meanwhile. Returns the job.
fn deleted_in_use(rig: &Rig, share: u64) -> Result<crate::rig::Held> {
    let gone = bos(rig, percent(rig, share)?, VRAM_ONLY)?;
    let held = rig.held(rig.render, |work| {
        for bo in &gone {
            work.job = work.job.clone().write(bo);
        }
        Ok(())
    })?;
    drop(gone);
    Ok(held)
}

/// Memory of a BO that was deleted while jobs use it can be had when those are done.
fn memory_of_the_deleted_is_waited_for() -> Outcome {
    let rig = Rig::new()?;
    let mut held = deleted_in_use(&rig, 60)?;
    let waiter = submitter(60)?;
    thread::sleep(Duration::from_secs(3));
    held.release()?;
    waiter.finish(PATIENCE)?;
    held.finish()
}

/// Meanwhile others submit jobs, and the job that waits can be killed.
fn a_job_that_waits_for_room_stops_no_other() -> Outcome {
    let rig = Rig::new()?;
    let held = deleted_in_use(&rig, 60)?;
    let waiter = submitter(60)?;
    thread::sleep(Duration::from_secs(2));
    for _ in 0..4 {
        small_job_is_soon_submitted()?;
    }
    let start = Instant::now();
    waiter.kill()?;
    let time = start.elapsed();
    ensure!(time < KILLED, "a job that waits died after {time:?}");
    ensure!(held.is_pending()?, "the job ended that holds the memory");
    held.finish()
}

/// A job that needs more than there is, while memory is being freed that would not help.
fn a_job_that_does_not_fit_stops_no_other() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(SMALL)?;
    let held = rig.held(rig.render, |work| {
        work.job = work.job.clone().write(&bo);
        Ok(())
    })?;
    drop(bo);
    let size = vram(&rig)?.size;
    let much = submitter(102 + 100 * 2 * SMALL / size)?;
    let start = Instant::now();
    for _ in 0..4 {
        small_job_is_soon_submitted()?;
    }
    let status = much.end(PATIENCE)?;
    ensure!(!status.success(), "there is no room for it");
    say(&format!("refused within {:?}", start.elapsed()));
    held.finish()
}
