// SPDX-License-Identifier: GPL-2.0

//! A client whose packets do what they should not.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rgt::uapi::{DRM_RGT_CS_BO_NO_IMPLICIT, DRM_RGT_CS_BO_WRITE};
use rgt::{
    Binding, Bo, CommandBuffer, Context, Engine, EngineClass, FenceStatus, Ib, Job, Priority,
    SyncFile, Syncobj,
};
use rustix::io::Errno;

use super::write::{MOST, Packets, SIZE};
use crate::expect::fails;
use crate::harness::Outcome;
use crate::rig::{Dice, HIDDEN, PATIENCE, Rig};

/// The most jobs of a round on an engine.
const JOBS: u32 = 3;

/// Counts of jobs by how they ended.
#[derive(Default)]
pub(in crate::suites) struct Verdicts {
    /// They did all that they were to do, whatever that was.
    pub(super) ran: u64,
    /// They ended with a fault.
    pub(super) faulted: u64,
    /// They hung, or were behind one of their context that hung or faulted.
    pub(super) cancelled: u64,
    /// They were not taken, as their context was banned.
    pub(super) refused: u64,
}

impl Verdicts {
    /// Writes them to a file.
    fn save(&self, path: &str) -> Outcome {
        let numbers = [self.ran, self.faulted, self.cancelled, self.refused];
        let words = numbers.map(|number| number.to_string());
        Ok(fs::write(path, words.join(" "))?)
    }

    /// Adds those of a file.
    pub(super) fn add(&mut self, path: &str) -> Outcome {
        let text = fs::read_to_string(path)?;
        let numbers = [
            &mut self.ran,
            &mut self.faulted,
            &mut self.cancelled,
            &mut self.refused,
        ];
        for (sum, word) in numbers.into_iter().zip(text.split(' ')) {
            *sum += word.parse::<u64>()?;
        }
        Ok(())
    }
}

/// Its contexts for an engine: there is always one that is not banned.
struct Lane {
    engine: Engine,
    context: Context,
    /// Whether a job of the context did not end well.
    failed: bool,
    commands: CommandBuffer,
}

impl Lane {
    fn new(rig: &Rig, engine: Engine) -> Result<Self> {
        Ok(Self {
            engine,
            context: Context::create(&rig.device, Priority::Normal)?,
            failed: false,
            commands: CommandBuffer::new(&rig.vm, JOBS as usize * MOST)?,
        })
    }
}

/// A job that was submitted.
struct Pending {
    lane: usize,
    of_a_context: bool,
    end: SyncFile,
}

/// The client.
pub(in crate::suites) struct Attacker {
    // What is mapped goes first.
    lanes: Vec<Lane>,
    bindings: Vec<Binding>,
    bos: Vec<Bo>,
    done: Syncobj,
    rig: Rig,
    dice: Dice,
    pub(super) verdicts: Verdicts,
}

impl Attacker {
    /// One whose packets depend on a seed.
    pub(in crate::suites) fn new(seed: u32) -> Result<Self> {
        let rig = Rig::new()?;
        // Atomics work in the first one on any machine.
        let bos = vec![rig.visible(SIZE)?, rig.bo(SIZE, HIDDEN)?, rig.gtt(SIZE)?];
        let bindings = bos.iter().map(|bo| rig.vm.map(bo));
        let engines = rig.device.engines().iter();
        Ok(Self {
            bindings: bindings.collect::<rgt::Result<_>>()?,
            lanes: engines
                .map(|engine| Lane::new(&rig, *engine))
                .collect::<Result<_>>()?,
            bos,
            done: Syncobj::new(&rig.device)?,
            rig,
            dice: Dice::new(seed),
            verdicts: Verdicts::default(),
        })
    }

    /// Submits jobs to all engines, and waits for their ends. An error if one is not what comes of
    /// packets.
    pub(in crate::suites) fn round(&mut self) -> Outcome {
        for lane in &mut self.lanes {
            lane.commands.reset(PATIENCE)?;
        }
        let mut pending = vec![];
        for lane in 0..self.lanes.len() {
            for _ in 0..=self.dice.below(JOBS) {
                pending.extend(self.submit(lane)?);
            }
        }
        for job in pending {
            self.end(&job)?;
        }
        (0..self.lanes.len()).try_for_each(|lane| self.judge(lane))
    }

    /// Submits a job, unless its context is banned already.
    fn submit(&mut self, lane: usize) -> Result<Option<Pending>> {
        let memory: Vec<_> = self.bindings.iter().map(Binding::addr).collect();
        let dice = &mut self.dice;
        let Lane {
            engine,
            context,
            commands,
            failed,
        } = &mut self.lanes[lane];
        let draws = engine.class == EngineClass::Render || dice.below(10) == 0;
        let whole = dice.below(4) == 0;
        let cut = dice.below(10) == 0;
        let of_a_context = dice.below(4) != 0;
        let mut packets = Packets::new(dice, &memory, draws);
        if !whole {
            packets.damage();
        }
        commands.raw(packets.dwords())?;
        let mut ib = commands.take();
        if cut {
            ib.dwords = 1 + dice.below(ib.dwords);
        }

        let mut job = Job::new(&self.rig.vm, *engine).ib(ib);
        // At the same time as those of other engines.
        let flags = DRM_RGT_CS_BO_WRITE | DRM_RGT_CS_BO_NO_IMPLICIT;
        for bo in &self.bos {
            job = job.uses(bo, flags);
        }
        if of_a_context {
            job = job.context(context);
        }
        match job.signal(self.done.sync()).submit() {
            Ok(()) => Ok(Some(Pending {
                lane,
                of_a_context,
                end: self.done.sync_file()?,
            })),
            Err(error) if of_a_context && error.errno() == Some(Errno::CANCELED) => {
                self.verdicts.refused += 1;
                *failed = true;
                Ok(None)
            }
            Err(error) => Err(error).context("a job"),
        }
    }

    /// Waits for the end of a job.
    fn end(&mut self, job: &Pending) -> Outcome {
        job.end.wait(PATIENCE).context("a job does not end")?;
        let count = match job.end.status()? {
            FenceStatus::Done => {
                self.verdicts.ran += 1;
                return Ok(());
            }
            FenceStatus::Failed(Errno::FAULT) => &mut self.verdicts.faulted,
            FenceStatus::Failed(Errno::CANCELED) => &mut self.verdicts.cancelled,
            other => bail!("a job ended with {other:?}"),
        };
        *count += 1;
        self.lanes[job.lane].failed |= job.of_a_context;
        Ok(())
    }

    /// Sees that a context is banned if a job of its own did not end well, and only then, and goes on
    /// with another one.
    fn judge(&mut self, lane: usize) -> Outcome {
        let lane = &mut self.lanes[lane];
        let status = lane.context.status()?;
        ensure!(
            (status.cause.is_some(), status.guilty) == (lane.failed, lane.failed),
            "{status:?} of a context; did a job of it fail: {}",
            lane.failed
        );
        if !lane.failed {
            return Ok(());
        }
        let job = Job::new(&self.rig.vm, lane.engine).context(&lane.context);
        let addr = self.bindings[0].addr();
        let again = job.ib(Ib { addr, dwords: 1 }).submit();
        fails("a job of a banned context", Errno::CANCELED, again)?;
        self.verdicts.refused += 1;
        lane.context = Context::create(&self.rig.device, Priority::Normal)?;
        lane.failed = false;
        Ok(())
    }
}

/// The helper: arguments are a seed, milliseconds, and the file for what became of the jobs.
pub(in crate::suites) fn attack(arguments: &[&str]) -> Outcome {
    let [seed, millis, path] = arguments else {
        bail!("expected a seed, milliseconds and a file")
    };
    let end = Instant::now() + Duration::from_millis(millis.parse()?);
    let mut attacker = Attacker::new(seed.parse()?)?;
    let mut round = 0;
    while Instant::now() < end {
        let outcome = attacker.round();
        outcome.with_context(|| format!("seed {seed}, round {round}"))?;
        round += 1;
    }
    attacker.verdicts.save(path)
}
