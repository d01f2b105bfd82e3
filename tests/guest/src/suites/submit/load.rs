// SPDX-License-Identifier: GPL-2.0

//! More jobs than fit: from many processes, into a full ring, and with interrupts that get lost.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rgt::abi::regs::VECTOR_ENGINE0;
use rgt::{Context, Engine, FenceStatus, Ib, Job, Priority, Syncobj, WaitFrom};

use super::tally::Tally;
use crate::expect::same;
use crate::harness::{Control, Helper, Length, Outcome, Test, tests};
use crate::rig::{Dice, PATIENCE, Rig, Work};

pub(super) const TESTS: &[Test] = tests![
    Duration::from_secs(3000);
    of_eight_processes,
    full_ring,
    lost_interrupts,
];

/// The helper that submits many small jobs.
pub(crate) const SUBMITTER: &str = "submitter";

const PROCESSES: u64 = 8;
const LIMIT: Duration = Duration::from_secs(2400);

fn of_eight_processes() -> Outcome {
    let each: u32 = Length::choose(250, 1250);
    let helpers: Vec<_> = (1..=PROCESSES)
        .map(|seed| Helper::start(SUBMITTER, &[seed.to_string(), each.to_string()]))
        .collect::<Result<_>>()?;
    helpers
        .into_iter()
        .try_for_each(|helper| helper.finish(LIMIT))
}

/// Submits one buffer again and again as jobs of a context; the fence of each goes to the next
/// point of a timeline. Gives the last point.
struct Stream<'a> {
    rig: &'a Rig,
    tally: &'a Tally,
    line: Syncobj,
    point: u64,
}

impl<'a> Stream<'a> {
    fn new(rig: &'a Rig, tally: &'a Tally) -> Result<Self> {
        Ok(Self {
            rig,
            tally,
            line: Syncobj::new(&rig.device)?,
            point: 0,
        })
    }

    /// A job that counts, and the buffer that it must not outlive.
    fn job(&self, engine: Engine, context: &Context) -> Result<(Job, Work)> {
        let mut work = self.rig.work(engine)?;
        work.context(context);
        self.tally.count(&mut work, 0)?;
        let ib: Ib = work.commands.take();
        Ok((work.job.clone().ib(ib), work))
    }

    fn submit(&mut self, job: &Job) -> Result<()> {
        self.point += 1;
        let job = job.clone().signal(self.line.at(self.point));
        job.submit().with_context(|| format!("job {}", self.point))
    }

    fn finish(&self) -> Result<()> {
        self.line.wait_at(self.point, LIMIT, WaitFrom::Now)?;
        same("reached", self.line.reached()?, self.point)?;
        same("jobs that ran", self.tally.total(), self.point)
    }
}

/// The helper: its arguments are a seed and how many jobs it submits.
pub(crate) fn work(arguments: &[&str]) -> Outcome {
    let [seed, count] = arguments else {
        anyhow::bail!("expected a seed and a number")
    };
    let count: u32 = count.parse()?;
    let mut dice = Dice::new(seed.parse()?);
    let rig = Rig::new()?;
    let tally = Tally::new(&rig, 1)?;
    let mut stream = Stream::new(&rig, &tally)?;
    let mut jobs = Vec::new();
    for engine in rig.device.engines() {
        for priority in [Priority::Low, Priority::Normal] {
            let context = Context::create(&rig.device, priority)?;
            jobs.push(stream.job(*engine, &context)?);
        }
    }
    for _ in 0..count {
        let (job, _) = &jobs[dice.below(jobs.len() as u32) as usize];
        stream.submit(job)?;
    }
    stream.finish()
}

/// More jobs than a ring has room for, and fewer than a context may have, while the engine does
/// none of them: a full ring holds jobs up, not those who submit them.
fn full_ring() -> Outcome {
    /// Most jobs that the driver has in a ring at once.
    const ROOM: u64 = 64;
    const JOBS: u64 = 900;
    let rig = Rig::new()?;
    let tally = Tally::new(&rig, 1)?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let mut stream = Stream::new(&rig, &tally)?;
    let (job, _commands) = stream.job(rig.copy, &context)?;

    // The driver ends it, for which its context is to blame.
    let guilty = Context::create(&rig.device, Priority::Normal)?;
    let done = Syncobj::new(&rig.device)?;
    let busy = rig.endless(rig.copy, |work| {
        work.context(&guilty);
        work.signal(done.sync());
        Ok(())
    })?;
    let file = done.sync_file()?;
    let pending = || Ok::<_, rgt::Error>(file.status()? == FenceStatus::Pending);
    for _ in 0..ROOM + 8 {
        stream.submit(&job)?;
    }
    ensure!(pending()?, "a submission waited for room in the ring");
    while pending()? && stream.point < JOBS {
        stream.submit(&job)?;
    }
    busy.wait()?;
    stream.finish()
}

/// Jobs whose interrupts are lost end in bounded time, and those behind them too.
fn lost_interrupts() -> Outcome {
    const JOBS: usize = 6;
    const LOST: usize = JOBS / 2;
    /// Before the scheduler would look at a job.
    const BOUND: Duration = Duration::from_secs(8);
    let rig = Rig::new()?;
    let mut control = Control::open()?;
    for engine in rig.device.engines() {
        let vector = VECTOR_ENGINE0 + engine.id;
        let tally = Tally::new(&rig, JOBS as u64)?;
        control.send(&format!("lose 0 {vector} {LOST}"))?;
        // The machine may hold up any of them, but not all.
        let mut fastest = Duration::MAX;
        for job in 0..JOBS {
            let mut work = rig.work(*engine)?;
            let done = Syncobj::new(&rig.device)?;
            tally.count(&mut work, job as u64)?;
            work.signal(done.sync());
            let start = Instant::now();
            work.submit()?;
            done.wait(PATIENCE, WaitFrom::Now)
                .with_context(|| format!("job {job} of engine {}", engine.id))?;
            if job < LOST {
                fastest = fastest.min(start.elapsed());
            }
            work.wait()?;
        }
        ensure!(
            fastest < BOUND,
            "engine {}: all took {fastest:?} or longer",
            engine.id
        );
        control.send(&format!("lose 0 {vector} 0"))?;
        same("jobs", tally.total(), JOBS as u64)?;
    }
    Ok(())
}
