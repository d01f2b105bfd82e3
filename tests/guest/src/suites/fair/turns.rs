// SPDX-License-Identifier: GPL-2.0

//! The order of jobs of several clients: how many of another client's end before a job does,
//! counted on the GPU, from when the job was submitted.

use std::time::Duration;

use anyhow::{Result, ensure};
use rgt::uapi::{DRM_RGT_CS_BO_NO_IMPLICIT, DRM_RGT_CS_BO_WRITE, DRM_RGT_REGION_GTT};
use rgt::{BindOp, Bo, Context, Engine, EngineClass, Mapping, Placement, Priority, Syncobj};

use crate::harness::{Outcome, Test, say, tests};
use crate::peer::SwFence;
use crate::rig::{Busy, MIB, PAGE, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    small_job_behind_many,
    small_job_behind_many_contexts,
    high_priority_behind_many,
    move_behind_many,
];

/// Jobs that the busy client has queued.
const JOBS: usize = 80;
/// The length of each.
const LENGTH: Duration = Duration::from_millis(40);

/// A client with many jobs, each of which counts at its end.
struct Hog {
    count: Bo,
    map: Mapping,
    jobs: Busy,
    // Jobs go before their contexts.
    _contexts: Vec<Context>,
}

impl Hog {
    fn new(engine: Engine, contexts: usize) -> Result<Self> {
        Self::with_jobs(engine, contexts, JOBS, None)
    }

    /// One with so many jobs, which wait for a fence if there is one.
    fn with_jobs(
        engine: Engine,
        contexts: usize,
        count_of_jobs: usize,
        begin: Option<&SwFence>,
    ) -> Result<Self> {
        let rig = Rig::new()?;
        let begin = begin
            .map(|fence| Syncobj::of_sync_file(&rig.device, fence.file()))
            .transpose()?;
        let count = rig.visible(PAGE)?;
        rig.fill(&count, 0)?;
        let map = count.map()?;
        let contexts = (0..contexts)
            .map(|_| Context::create(&rig.device, Priority::Normal))
            .collect::<rgt::Result<Vec<_>>>()?;
        let mut jobs = rig.busy(engine, LENGTH, |work| {
            work.context(&contexts[0]);
            if let Some(begin) = &begin {
                work.wait_for(begin.sync());
            }
            let flags = DRM_RGT_CS_BO_WRITE | DRM_RGT_CS_BO_NO_IMPLICIT;
            let count = work.uses(&count, flags)?;
            work.commands.atomic_add(count, 1, count + 8)?;
            Ok(())
        })?;
        for number in 1..count_of_jobs {
            jobs.again_of(&contexts[number % contexts.len()])?;
        }
        Ok(Self {
            count,
            map,
            jobs,
            _contexts: contexts,
        })
    }

    /// How many of its jobs have ended.
    fn ended(&self) -> u64 {
        self.map.read_u64(0)
    }

    /// Waits for all of them.
    fn settle(&mut self) -> Outcome {
        self.jobs.settle()
    }
}

/// A client whose jobs read how many of another's have ended.
struct Small {
    rig: Rig,
    context: Context,
    count: Bo,
    seen: Bo,
    map: Mapping,
}

impl Small {
    fn new(hog: &Hog, priority: Priority) -> Result<Self> {
        let rig = Rig::new()?;
        let context = Context::create(&rig.device, priority)?;
        let count = Bo::import(&rig.device, hog.count.export()?)?;
        let seen = rig.gtt(PAGE)?;
        rig.fill(&seen, 0)?;
        let map = seen.map()?;
        Ok(Self {
            rig,
            context,
            count,
            seen,
            map,
        })
    }

    /// Runs a job on an engine. Returns how many of the hog's jobs have ended between its submission
    /// and its end.
    fn overtaken(&self, hog: &Hog, engine: Engine) -> Result<u64> {
        let mut work = self.rig.work(engine)?;
        work.context(&self.context);
        let count = work.uses(&self.count, DRM_RGT_CS_BO_NO_IMPLICIT)?;
        let seen = work.writes(&self.seen)?;
        work.commands.copy(count, seen, 8)?;
        // It does not wait for its page-table entries when it is done again.
        work.submit()?;
        work.wait()?;
        work.job.submit()?;
        let before = hog.ended();
        work.commands.wait(PATIENCE)?;
        Ok(self.map.read_u64(0).saturating_sub(before))
    }
}

/// Checks how many jobs come before small ones, while there are enough of them. One of the small ones
/// does not count: what holds up a thread of the kernel lets more jobs come.
fn check(hog: &mut Hog, small: &Small, engine: Engine, most: u64) -> Outcome {
    let mut before = Vec::new();
    while before.len() < 3 && hog.ended() + 4 * most + 4 < JOBS as u64 {
        before.push(small.overtaken(hog, engine)?);
    }
    before.sort_unstable();
    let counts = before.len().saturating_sub(1).max(1);
    ensure!(!before.is_empty(), "the busy client had too few jobs");
    ensure!(
        before[..counts].iter().all(|jobs| *jobs <= most),
        "so many jobs came before small ones: {before:?}"
    );
    hog.settle()
}

fn copy_engine() -> Result<Engine> {
    Ok(Rig::new()?.copy)
}

fn small_job_behind_many() -> Outcome {
    let engine = copy_engine()?;
    let mut hog = Hog::new(engine, 1)?;
    let small = Small::new(&hog, Priority::Normal)?;
    check(&mut hog, &small, engine, 2)
}

/// It is the client that counts, not how many contexts it has.
fn small_job_behind_many_contexts() -> Outcome {
    let engine = copy_engine()?;
    let mut hog = Hog::new(engine, JOBS / 2)?;
    let small = Small::new(&hog, Priority::Normal)?;
    check(&mut hog, &small, engine, 2)
}

fn high_priority_behind_many() -> Outcome {
    let engine = copy_engine()?;
    let mut hog = Hog::new(engine, JOBS / 4)?;
    let small = Small::new(&hog, Priority::High)?;
    check(&mut hog, &small, engine, 1)
}

/// The busy clients of each copy engine, and the jobs of each.
const CLIENTS: usize = 6;
const JOBS_OF_EACH: usize = 10;

/// The kernel moves a BO by a copy engine, on each of which several clients have many jobs. If it took
/// turns with these, one job of each would come first.
fn move_behind_many() -> Outcome {
    let rig = Rig::new()?;
    let copies: Vec<_> = rig
        .device
        .engines()
        .iter()
        .filter(|engine| engine.class == EngineClass::Copy)
        .copied()
        .collect();
    let moved = rig.bo(MIB, |bo| bo.placement(Placement::VRAM | Placement::GTT))?;
    rig.fill(&moved, 1)?;
    let range = rig.vm.map(&moved)?;
    let seen = rig.gtt(PAGE)?;
    rig.fill(&seen, 0)?;
    let map = seen.map()?;

    // All of them begin at once, when nothing else is left to prepare.
    let begin = SwFence::new()?;
    let mut hogs = Vec::new();
    for engine in &copies {
        for _ in 0..CLIENTS {
            hogs.push(Hog::with_jobs(*engine, 1, JOBS_OF_EACH, Some(&begin))?);
        }
    }
    let mut work = rig.work(rig.render)?;
    work.reads(&moved)?;
    let to = work.writes(&seen)?;
    let counts = hogs
        .iter()
        .map(|hog| Ok(Bo::import(&rig.device, hog.count.export()?)?))
        .collect::<Result<Vec<_>>>()?;
    for (number, count) in (0..).zip(&counts) {
        let from = work.uses(count, DRM_RGT_CS_BO_NO_IMPLICIT)?;
        work.commands.copy(from, to + 8 * number, 8)?;
    }
    ensure!(
        moved.info()?.current_placement == Placement::VRAM,
        "there is nothing to move"
    );
    begin.signal()?;
    rig.vm
        .bind(&[BindOp::prefetch(range.addr(), MIB, DRM_RGT_REGION_GTT)])?;
    let before: Vec<_> = hogs.iter().map(Hog::ended).collect();
    work.submit()?;
    work.wait()?;

    let mut ended = Vec::new();
    for (number, before) in before.iter().enumerate() {
        ended.push(map.read_u64(8 * number).saturating_sub(*before));
    }
    // By which engine it was moved is not known, but they work at the same speed.
    let engines = before.chunks(CLIENTS).zip(ended.chunks(CLIENTS));
    let engines: Vec<(u64, u64)> = engines
        .map(|(before, ended)| (before.iter().sum(), ended.iter().sum()))
        .collect();
    say(&format!(
        "jobs that ended before and meanwhile: {engines:?}"
    ));
    for (before, ended) in &engines {
        let total = (CLIENTS * JOBS_OF_EACH) as u64;
        ensure!(before + ended < total, "the busy clients had too few jobs");
    }
    let fewest = engines.iter().map(|(_, ended)| *ended).min();
    ensure!(
        fewest.is_some_and(|fewest| fewest <= CLIENTS as u64 / 2),
        "{fewest:?} jobs came before a move"
    );
    hogs.iter_mut().try_for_each(Hog::settle)
}
