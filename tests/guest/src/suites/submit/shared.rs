// SPDX-License-Identifier: GPL-2.0

//! Implicit sync between two processes that share a BO. They take turns to submit; what keeps
//! their jobs in order is the BO alone.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};
use std::{process, thread};

use anyhow::{Context as _, Result, ensure};
use rgt::{Bo, Mapping, checksum};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use crate::expect::same;
use crate::harness::{Helper, Outcome, Test, tests};
use crate::rig::{MIB, PAGE, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![two_processes];

/// The helper that reads what the test writes, and writes what the test reads.
pub(crate) const PARTNER: &str = "partner";

const SIZE: u64 = MIB;
const ROUNDS: u32 = 12;
const LIMIT: Duration = Duration::from_secs(120);

/// Whose turn it is, where both see it: turns have numbers from 0, the test's are even.
struct Turns(Mapping);

impl Turns {
    fn wait(&self, turn: u32) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        while self.0.read(0) != turn {
            ensure!(Instant::now() < deadline, "turn {turn} does not come");
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn over(&self, turn: u32) {
        self.0.write(0, turn + 1);
    }
}

/// Returns the values of a round, first the test's and then its partner's.
fn values(round: u32) -> (u32, u32) {
    (0x1_0000 + round, 0x2_0000 + round)
}

fn two_processes() -> Outcome {
    let rig = Rig::new()?;
    let (bo, turns) = (rig.vram(SIZE)?, rig.gtt(PAGE)?);
    let target = rig.gtt(SIZE)?;
    let files = [bo.export()?, turns.export()?];
    let mut arguments = vec![process::id().to_string()];
    arguments.extend(files.iter().map(|file| file.as_raw_fd().to_string()));
    let turns = Turns(turns.map()?);
    let partner = Helper::start(PARTNER, &arguments)?;
    let mut works = Vec::new();
    for round in 0..ROUNDS {
        let (mine, theirs) = values(round);
        // After what the partner read and wrote in the last round.
        turns.wait(round * 2)?;
        if let Some(before) = round.checked_sub(1) {
            let mut reader = rig.work(rig.copy)?;
            let (from, to) = (reader.reads(&bo)?, reader.writes(&target)?);
            reader.commands.copy(from, to, SIZE)?;
            reader.submit()?;
            works.push((reader, values(before).1));
        }
        let mut writer = rig.work(rig.render)?;
        let to = writer.writes(&bo)?;
        for value in [0, theirs, mine] {
            writer.commands.fill(to, SIZE, value)?;
        }
        writer.submit()?;
        turns.over(round * 2);
        // The last reader's result must be checked before the next one overwrites it.
        if let Some((mut reader, expected)) = works.pop() {
            reader.wait()?;
            let sum = target.map()?.checksum(0..SIZE as usize);
            same(
                "what the test read",
                sum,
                checksum::of_fill(expected, SIZE / 4),
            )?;
        }
        writer.wait()?;
    }
    partner.finish(LIMIT)
}

/// The helper: its arguments are the test's process and the numbers of its files.
pub(crate) fn take_part(arguments: &[&str]) -> Outcome {
    let [pid, bo, turns] = arguments else {
        anyhow::bail!("expected a process and two files")
    };
    let pid = Pid::from_raw(pid.parse()?).context("a process")?;
    let pid = pidfd_open(pid, PidfdFlags::empty())?;
    let file = |number: &str| -> Result<OwnedFd> {
        Ok(pidfd_getfd(
            &pid,
            number.parse()?,
            PidfdGetfdFlags::empty(),
        )?)
    };
    let rig = Rig::new()?;
    let bo = Bo::import(&rig.device, file(bo)?)?;
    let turns = Turns(Bo::import(&rig.device, file(turns)?)?.map()?);
    let target = rig.gtt(SIZE)?;
    for round in 0..ROUNDS {
        let (theirs, mine) = values(round);
        turns.wait(round * 2 + 1)?;
        let mut reader = rig.work(rig.copy)?;
        let (from, to) = (reader.reads(&bo)?, reader.writes(&target)?);
        reader.commands.copy(from, to, SIZE)?;
        reader.submit()?;
        let mut writer = rig.work(rig.render)?;
        let to = writer.writes(&bo)?;
        writer.commands.fill(to, SIZE, 0)?.fill(to, SIZE, mine)?;
        writer.submit()?;
        turns.over(round * 2 + 1);
        reader.wait()?;
        let sum = target.map()?.checksum(0..SIZE as usize);
        same(
            "what the partner read",
            sum,
            checksum::of_fill(theirs, SIZE / 4),
        )?;
        writer.wait()?;
    }
    Ok(())
}
