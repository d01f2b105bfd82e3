// SPDX-License-Identifier: GPL-2.0

//! A protected client keeps its VRAM while it and another one use all of theirs in each job.

use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::super::cgroup::group::Group;
use super::{SMALL, VRAM_OR_GTT, bos, bytes_in_vram, check, in_vram, percent, writing};
use crate::harness::{Helper, Outcome, Test, say, tests};
use crate::rig::Rig;

pub(super) const TESTS: &[Test] = tests![low_protects, min_protects, own_ones_stay_with_min];

/// The helper that uses as much as there is of VRAM in each job.
pub(in super::super) const HOG: &str = "room-hog";

const ROUNDS: u32 = 30;

fn low_protects() -> Outcome {
    protects("low")
}

fn min_protects() -> Outcome {
    protects("min")
}

fn protects(how: &str) -> Outcome {
    let rig = Rig::new()?;
    let size = percent(&rig, 50)?;
    let (safe, other) = (Group::new("safe")?, Group::new("other")?);
    safe.protect(how, size)?;

    let kept = bos(&rig, size, VRAM_OR_GTT)?;
    let hog = other.run(|| Helper::start(HOG, &[]))?;
    // It has filled VRAM.
    thread::sleep(Duration::from_secs(2));
    safe.run(|| {
        for round in 0..ROUNDS {
            writing(&rig, &kept, round)?
                .run()
                .with_context(|| format!("job {round}"))?;
        }
        Ok(())
    })?;
    let kept_bytes = bytes_in_vram(&kept)?;
    hog.kill().context("the other client")?;
    say(&format!("{kept_bytes} bytes of {size} in VRAM with {how}"));
    ensure!(
        kept_bytes + 2 * SMALL >= size,
        "only {kept_bytes} bytes of {size} are in VRAM"
    );
    check(&rig, &kept, ROUNDS - 1)?;
    drop(kept);
    safe.wait_until_empty()?;
    other.wait_until_empty()
}

/// A group that is entitled to more than it has, while all of the rest is protected as well: one more
/// of its BOs is in GTT then, rather than another one.
fn own_ones_stay_with_min() -> Outcome {
    let rig = Rig::new()?;
    // More than both use, else the parent's share is split between them.
    let much = 2 * percent(&rig, 100)?;
    let (safe, other) = (Group::new("safe")?, Group::new("other")?);
    other.protect("min", much)?;
    safe.protect("min", much)?;

    let theirs = bos(&rig, percent(&rig, 60)?, VRAM_OR_GTT)?;
    other.run(|| writing(&rig, &theirs, 1)?.run())?;
    let own = bos(&rig, percent(&rig, 60)?, VRAM_OR_GTT)?;
    let mut resident = Vec::new();
    for bo in &own {
        safe.run(|| writing(&rig, [bo], 1)?.run())?;
        if in_vram(bo)? {
            resident.push(bo);
        }
    }
    ensure!(
        resident.len() < own.len(),
        "there is room for more than all"
    );
    for bo in resident {
        ensure!(in_vram(bo)?, "a BO made room for one of its own group");
    }
    drop((own, theirs));
    safe.wait_until_empty()?;
    other.wait_until_empty()
}

/// The helper: submits jobs that use BOs of the size of VRAM, until it is killed.
pub(in super::super) fn hog() -> Outcome {
    let rig = Rig::new()?;
    let all = bos(&rig, percent(&rig, 100)?, VRAM_OR_GTT)?;
    loop {
        writing(&rig, &all, 1)?.run()?;
    }
}
