// SPDX-License-Identifier: GPL-2.0

//! Clients that have data, whatever others do.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::expect::same;
use crate::harness::{Helper, Outcome};
use crate::rig::{Kept, Rig};
use crate::suites::clients;
use crate::suites::unbind::works;

/// How much longer than its time a client may take.
const SLACK: Duration = Duration::from_secs(300);

/// Clients that allocate, move, submit and compare for a time, and one that keeps data.
pub(in crate::suites) struct Witness {
    rig: Rig,
    kept: Vec<Kept>,
    generation: u64,
    clients: Vec<Helper>,
    time: Duration,
}

impl Witness {
    /// Starts them. They differ by the seed.
    pub(in crate::suites) fn new(seed: u32, time: Duration) -> Result<Self> {
        let rig = Rig::new()?;
        Ok(Self {
            kept: Kept::all(&rig)?,
            generation: rig.device.vram_generation()?,
            clients: (0..2)
                .map(|client| clients::start(2 * seed + client, time))
                .collect::<Result<_>>()?,
            rig,
            time,
        })
    }

    /// Waits for them: all of their data is right, by the GPU and byte for byte.
    pub(in crate::suites) fn ends_well(self) -> Outcome {
        for client in self.clients {
            client.finish(self.time + SLACK).context("a client")?;
        }
        for kept in &self.kept {
            kept.is_seen_by_the_cpu()?;
            kept.check(&self.rig)?;
        }
        let generation = self.rig.device.vram_generation()?;
        same("generation", generation, self.generation)?;
        works()
    }
}
