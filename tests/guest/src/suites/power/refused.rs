// SPDX-License-Identifier: GPL-2.0

//! Sleep that is refused: everything goes on as before.

use anyhow::{Result, ensure};
use rgt::Bo;
use rustix::io::Errno;

use super::sleep::Sleep;
use crate::expect::same;
use crate::harness::{Outcome, Test, skip, tests};
use crate::rig::{PAGE, Rig, meminfo};
use crate::suites::pressure::{Hog, LITTLE};
use crate::suites::room::{VRAM_OR_GTT, bos, check, percent, vram, writing};

pub(super) const TESTS: &[Test] = tests![without_memory, behind_a_fence_of_a_frozen_task];

/// The system does not sleep, for this reason.
fn refused(what: &str, errno: Errno) -> Outcome {
    let error = Sleep::Devices.try_enter().err();
    let found = error.as_ref().and_then(Errno::from_io_error);
    same(what, found, Some(errno))
}

/// A client that has more in VRAM than the pages that are left, without swap. Its BOs have the numbers
/// from 100 on.
pub(in crate::suites) fn crowd() -> Result<(Rig, Vec<Bo>, Hog)> {
    let rig = Rig::new()?;
    if vram(&rig)?.size < 2 * LITTLE {
        return skip("all of VRAM fits into little memory");
    }
    if meminfo("SwapTotal")? != 0 {
        return skip("there is swap");
    }
    let all = bos(&rig, percent(&rig, 90)?, VRAM_OR_GTT)?;
    writing(&rig, &all, 100)?.run()?;

    Ok((rig, all, Hog::leave_little()?))
}

fn without_memory() -> Outcome {
    let (rig, all, hog) = crowd()?;
    for _ in 0..3 {
        refused("without memory", Errno::NOMEM)?;
    }
    check(&rig, &all[..1], 100)?;
    drop(hog);
    check(&rig, &all, 100)?;
    Sleep::Devices.enter()?;
    check(&rig, &all, 100)?;
    writing(&rig, &all, 200)?.run()?;
    check(&rig, &all, 200)
}

/// A job waits for a fence that only user space signals, and nothing moves the BO before.
fn behind_a_fence_of_a_frozen_task() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.visible(PAGE)?;
    rig.fill(&bo, 5)?;
    let held = rig.held(rig.render, |work| {
        let at = work.writes(&bo)?;
        work.commands.write(at, &[6])?;
        Ok(())
    })?;

    refused("behind a fence", Errno::BUSY)?;
    ensure!(held.is_pending()?, "the job did not wait");
    // Of another client: its own jobs wait for each other.
    let neighbour = Rig::new()?;
    let other = neighbour.visible(PAGE)?;
    neighbour.fill(&other, 7)?;
    same("a job meanwhile", other.map()?.read(0), 7)?;
    held.finish()?;
    same("the job", bo.map()?.read(0), 6)?;
    Sleep::Devices.enter()?;
    same(
        "after sleep",
        (bo.map()?.read(0), other.map()?.read(0)),
        (6, 7),
    )
}
