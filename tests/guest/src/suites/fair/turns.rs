// SPDX-License-Identifier: GPL-2.0

//! The order of jobs of several clients: how many of another client's end before a job does,
//! counted on the GPU, from when the job was submitted.

use std::time::Duration;

use anyhow::{Result, ensure};
use rgt::uapi::{DRM_RGT_CS_BO_NO_IMPLICIT, DRM_RGT_CS_BO_WRITE};
use rgt::{Bo, Context, Engine, EngineClass, Mapping, Priority};

use crate::harness::{Outcome, Test, tests};
use crate::rig::{Busy, HIDDEN, PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    small_job_behind_many,
    small_job_behind_many_contexts,
    high_priority_behind_many,
    move_behind_many,
];

/// Jobs that the busy client has queued.
const JOBS: usize = 48;
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
        let rig = Rig::new()?;
        let count = rig.visible(PAGE)?;
        rig.fill(&count, 0)?;
        let map = count.map()?;
        let contexts = (0..contexts)
            .map(|_| Context::create(&rig.device, Priority::Normal))
            .collect::<rgt::Result<Vec<_>>>()?;
        let mut jobs = rig.busy(engine, LENGTH, |work| {
            work.context(&contexts[0]);
            let flags = DRM_RGT_CS_BO_WRITE | DRM_RGT_CS_BO_NO_IMPLICIT;
            let count = work.uses(&count, flags)?;
            work.commands.atomic_add(count, 1, count + 8)?;
            Ok(())
        })?;
        for number in 1..JOBS {
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

    /// Runs a job on an engine, which writes another BO, too, if there is one. Returns how many of
    /// the hog's jobs have ended between its submission and its end.
    fn overtaken(&self, hog: &Hog, engine: Engine, other: Option<&Bo>) -> Result<u64> {
        let mut work = self.rig.work(engine)?;
        work.context(&self.context);
        let count = work.uses(&self.count, DRM_RGT_CS_BO_NO_IMPLICIT)?;
        let seen = work.writes(&self.seen)?;
        if let Some(other) = other {
            let to = work.writes(other)?;
            work.commands.write(to, &[1])?;
        }
        work.commands.copy(count, seen, 8)?;
        work.submit()?;
        let before = hog.ended();
        work.wait()?;
        Ok(self.map.read_u64(0).saturating_sub(before))
    }
}

/// Checks how many jobs come before each of some small ones, while there are enough of them.
fn check(hog: &mut Hog, small: &Small, engine: Engine, most: u64) -> Outcome {
    let mut checked = 0;
    while checked < 3 && hog.ended() + 2 * most + 2 < JOBS as u64 {
        let overtaken = small.overtaken(hog, engine, None)?;
        ensure!(
            overtaken <= most,
            "job {checked} of the small client: {overtaken} jobs came before it"
        );
        checked += 1;
    }
    ensure!(checked != 0, "the busy client had too few jobs");
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

/// The kernel clears a new BO on a copy engine, of which each has many jobs.
fn move_behind_many() -> Outcome {
    let device = Rig::new()?.device;
    let copies = device.engines().iter();
    let copies: Vec<_> = copies
        .filter(|engine| engine.class == EngineClass::Copy)
        .copied()
        .collect();
    let mut hogs = copies
        .iter()
        .map(|engine| Hog::new(*engine, 1))
        .collect::<Result<Vec<_>>>()?;
    let small = Small::new(&hogs[0], Priority::Normal)?;
    let others: Vec<_> = hogs[1..].iter().map(Hog::ended).collect();
    let fresh = small.rig.bo(1 << 20, HIDDEN)?;
    let overtaken = small.overtaken(&hogs[0], small.rig.render, Some(&fresh))?;
    // Which engine has cleared it is not known, but they work at the same speed.
    let others = hogs[1..].iter().zip(others);
    let fewest = others
        .map(|(hog, before)| hog.ended() - before)
        .fold(overtaken, u64::min);
    ensure!(fewest <= 2, "{fewest} jobs came before a clear");
    hogs.iter_mut().try_for_each(Hog::settle)
}
