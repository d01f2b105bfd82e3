// SPDX-License-Identifier: GPL-2.0

//! Memory that goes while a job still runs that reaches it: it is unbound and closed, closed alone,
//! or not needed any more.

use anyhow::{Context, ensure};
use rgt::WaitFor;

use super::LENGTH;
use super::others::{ROOM, Secrets, all_but};
use super::reader::{Access, Bos, check_result};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    an_unbound_bo_shows_nothing,
    a_closed_bo_shows_nothing,
    an_unneeded_bo_shows_nothing,
];

/// Has a job read a BO at its end, does away with the BO, and has others fill all memory.
fn while_a_job_runs(away: impl FnOnce(Bos) -> anyhow::Result<Rest>) -> Outcome {
    let (_filler, _bos) = all_but(ROOM)?;
    let rig = Rig::new()?;
    let bos = Bos::new(&rig)?;
    let mut busy = rig.busy(rig.render, LENGTH, |work| bos.access(work, Access::Reads))?;
    let rest = away(bos)?;
    let secrets = Secrets::begin()?;
    busy.settle()?;
    rest.result.wait(PATIENCE, WaitFor::All)?;
    check_result(&rest.result.map()?)?;
    secrets.check()
}

/// What is left of the BOs.
struct Rest {
    result: rgt::Bo,
    _others: Option<(rgt::Binding, Option<rgt::Bo>)>,
}

fn an_unbound_bo_shows_nothing() -> Outcome {
    while_a_job_runs(|bos| {
        drop((bos.binding, bos.moving));
        Ok(Rest {
            result: bos.result,
            _others: None,
        })
    })
}

/// It lives as long as it is bound.
fn a_closed_bo_shows_nothing() -> Outcome {
    while_a_job_runs(|bos| {
        drop(bos.moving);
        Ok(Rest {
            result: bos.result,
            _others: Some((bos.binding, None)),
        })
    })
}

fn an_unneeded_bo_shows_nothing() -> Outcome {
    while_a_job_runs(|bos| {
        let retained = bos.moving.dont_need().context("DONTNEED")?;
        ensure!(retained, "it is purged already");
        Ok(Rest {
            result: bos.result,
            _others: Some((bos.binding, Some(bos.moving))),
        })
    })
}
