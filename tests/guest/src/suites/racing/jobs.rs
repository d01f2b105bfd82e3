// SPDX-License-Identifier: GPL-2.0

//! Jobs use a BO that is evicted.

use std::time::Duration;

use anyhow::{Result, bail};
use rgt::{Bo, Engine};

use super::{pressure, under};
use crate::expect::{each, same};
use crate::harness::Outcome;
use crate::rig::{Busy, HIDDEN, MIB, PAGE, Rig, Work};

const SIZE: u64 = 2 * MIB;

/// Jobs read what the one before wrote, and write something else, while the BO comes and goes
/// between them.
pub(super) fn used_by_jobs() -> Outcome {
    let rig = Rig::new()?;
    let pressure = pressure()?;
    each([("copy", rig.copy), ("render", rig.render)], |engine| {
        let bo = rig.bo(SIZE, HIDDEN)?;
        let mut last = 0;
        under(&pressure, || {
            let next = last + 1;
            let (first, end) = exchange(&rig, engine, &bo, next)?;
            same("first and last word", (first, end), (last, last))?;
            last = next;
            Ok(())
        })
    })
}

/// The first and the last word of a BO, before it is filled.
fn exchange(rig: &Rig, engine: Engine, bo: &Bo, pattern: u32) -> Result<(u32, u32)> {
    let result = rig.gtt(PAGE)?;
    let mut work = rig.work(engine)?;
    let (at, to) = (work.writes(bo)?, work.writes(&result)?);
    work.commands
        .copy(at, to, 4)?
        .copy(at + bo.size() - 4, to + 4, 4)?
        .fill(at, bo.size(), pattern)?;
    work.run()?;
    let map = result.map()?;
    Ok((map.read(0), map.read(4)))
}

/// A job that was seen to run. One that ended before that does not count.
fn running(rig: &Rig, uses: impl Fn(&mut Work) -> Result<()>) -> Result<Busy> {
    const TRIES: usize = 10;
    for _ in 0..TRIES {
        let busy = rig.busy(rig.render, Duration::from_millis(500), &uses)?;
        if busy.runs()? {
            return Ok(busy);
        }
    }
    bail!("no job lasts until it is looked at")
}

/// A job that runs already keeps what it uses where it is, until it is done; what it writes last
/// is what is moved.
pub(super) fn used_by_one_long_job() -> Outcome {
    let rig = Rig::new()?;
    let pressure = pressure()?;
    for pattern in 1..3 {
        let bo = rig.bo(SIZE, HIDDEN)?;
        rig.fill(&bo, 0)?;
        let mut busy = running(&rig, |work| {
            let at = work.writes(&bo)?;
            work.commands.fill(at, bo.size(), pattern)?;
            Ok(())
        })?;
        pressure.round()?;
        busy.settle()?;
        let (first, end) = exchange(&rig, rig.copy, &bo, 0)?;
        same("what the job wrote", (first, end), (pattern, pattern))?;
    }
    Ok(())
}
