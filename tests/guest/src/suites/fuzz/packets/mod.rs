// SPDX-License-Identifier: GPL-2.0

//! Packets that no program would write: what they do, they do to their own client and to no other.
//!
//! Indirect buffers come to the GPU as they are, and so any client can have it fetch anything. Here some
//! packets are valid, of others up to eight dwords are not what they should be: opcodes, lengths, flags,
//! addresses and sizes. Their jobs run, fault, or hang an engine until it is reset. Beside them others have
//! data, submit to the same engines, and compare byte for byte.

mod attacker;
mod neighbour;
mod write;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use self::neighbour::Neighbour;
use crate::harness::{Helper, Length, Outcome, counted};
use crate::rig::PATIENCE;
use crate::suites::others::Witness;

pub(in crate::suites) use attacker::{Attacker, attack};

/// The helper whose packets do what they should not: arguments are a seed, milliseconds, and the file
/// for what became of its jobs.
pub(in crate::suites) const ATTACKER: &str = "attacker";

/// How much longer than its time one may take: jobs may wait for others that hang.
const SLACK: Duration = PATIENCE;

pub(in crate::suites) fn packets() -> Outcome {
    const ATTACKERS: u32 = 2;
    let rounds = Length::choose(1, 20);
    let time = Duration::from_secs(Length::choose(15, 60));
    let found = tempfile::tempdir()?;
    let folder = found.path().to_str().context("a folder in UTF-8")?;
    let mut verdicts = attacker::Verdicts::default();
    let mut copies = 0;
    for round in 0..rounds {
        let witness = Witness::new(round + 1, time)?;
        let neighbour = Neighbour::new(round + 1)?;
        let attackers = (0..ATTACKERS)
            .map(|number| {
                let seed = round * ATTACKERS + number + 1;
                let path = format!("{folder}/{seed}");
                let millis = time.as_millis().to_string();
                let helper = Helper::start(ATTACKER, &[seed.to_string(), millis, path.clone()])?;
                Ok((helper, path))
            })
            .collect::<Result<Vec<_>>>()?;
        let end = Instant::now() + time;
        while Instant::now() < end {
            copies += neighbour.copies()?;
        }
        for (attacker, path) in attackers {
            attacker.finish(SLACK)?;
            verdicts.add(&path)?;
        }
        neighbour.ends_well()?;
        witness.ends_well()?;
    }
    counted("jobs that ran", verdicts.ran);
    counted("jobs that faulted", verdicts.faulted);
    counted("jobs that hung or were behind others", verdicts.cancelled);
    counted("jobs that were refused", verdicts.refused);
    counted("jobs beside them", copies);
    ensure!(verdicts.ran > 0, "no job ran");
    ensure!(verdicts.faulted > 0, "no job faulted");
    ensure!(verdicts.refused > 0, "no job was refused");
    ensure!(copies > 0, "no job of others ran");
    Ok(())
}
