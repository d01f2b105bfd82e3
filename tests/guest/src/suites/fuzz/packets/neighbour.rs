// SPDX-License-Identifier: GPL-2.0

//! A client that does nothing wrong, and whose jobs therefore do what they should.

use anyhow::{Context as _, Result};
use rgt::{Bo, Context, FenceStatus, Mapping, Priority, Syncobj};

use crate::expect::{content_is, same};
use crate::harness::Outcome;
use crate::rig::{HIDDEN, Kept, MIB, PATIENCE, Rig};

/// The client.
pub(super) struct Neighbour {
    kept: Kept,
    target: Bo,
    map: Mapping,
    context: Context,
    done: Syncobj,
    resets: u64,
    rig: Rig,
}

impl Neighbour {
    pub(super) fn new(seed: u32) -> Result<Self> {
        let rig = Rig::new()?;
        let target = rig.gtt(MIB)?;
        Ok(Self {
            kept: Kept::new(&rig, HIDDEN, seed)?,
            map: target.map()?,
            target,
            context: Context::create(&rig.device, Priority::Normal)?,
            done: Syncobj::new(&rig.device)?,
            resets: rig.device.reset_count()?,
            rig,
        })
    }

    /// Has each engine copy its data, which is right then. Returns how many jobs that were.
    pub(super) fn copies(&self) -> Result<u64> {
        let engines = self.rig.device.engines();
        for engine in engines {
            let job = || -> Outcome {
                self.map.fill(0..MIB as usize, 0);
                let mut work = self.rig.work(*engine)?;
                work.context(&self.context);
                let (from, to) = (work.reads(&self.kept.bo)?, work.writes(&self.target)?);
                work.commands.copy(from, to, MIB)?;
                work.signal(self.done.sync());
                work.submit()?;
                let end = self.done.sync_file()?;
                end.wait(PATIENCE)?;
                same("its fence", end.status()?, FenceStatus::Done)?;
                content_is("a copy", &self.map, &self.kept.content)
            };
            job().with_context(|| format!("a job of the neighbour on engine {}", engine.id))?;
        }
        Ok(engines.len() as u64)
    }

    /// It has its context and its data, and nothing but engines was reset.
    pub(super) fn ends_well(&self) -> Outcome {
        let status = self.context.status()?;
        same(
            "the neighbour",
            (status.cause, status.guilty),
            (None, false),
        )?;
        let resets = self.rig.device.reset_count()?;
        same("resets of the device", resets, self.resets)?;
        self.kept.check(&self.rig)
    }
}
