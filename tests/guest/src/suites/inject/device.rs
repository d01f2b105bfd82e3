// SPDX-License-Identifier: GPL-2.0

//! Probe, suspend and resume of the device.

use std::fs;

use anyhow::Result;

use super::fail::{Failures, Region, failing};
use crate::harness::{Outcome, Test};
use crate::rig::{Kept, Rig};
use crate::suites::power::Sleep;
use crate::suites::unbind::{Unbound, works};

pub(super) const TESTS: &[Test] = failing![probe: 35, sleep: 12];

fn probe(failures: &mut Failures) -> Outcome {
    // Where this has no memory DRM itself crashes: drm_minor_alloc_release() puts the error.
    let _others = Region::not_in("drm_sysfs_minor_alloc")?;
    let unbound = Unbound::now()?;
    failures.some_allocations(
        1500,
        || unbound.again(),
        |()| Ok(unbound.try_bind()?),
        |()| Ok(()),
    )?;
    drop(unbound);
    works()
}

/// Drivers sleep and wake in the thread that asks for it, one after the other, while this lives.
struct InTurn(());

impl InTurn {
    const ASYNC: &str = "/sys/power/pm_async";

    fn new() -> Result<Self> {
        fs::write(Self::ASYNC, "0")?;
        Ok(Self(()))
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        // Where it was set it can be set back.
        let _ = fs::write(Self::ASYNC, "1");
    }
}

/// Whether or not the system falls asleep, nothing is lost.
fn sleep(failures: &mut Failures) -> Outcome {
    let _in_turn = InTurn::new()?;
    let _driver = Region::only_the_driver()?;
    let rig = Rig::new()?;
    let kept = Kept::all(&rig)?;
    failures.some_allocations(
        12,
        || Ok(()),
        |()| Sleep::Devices.enter(),
        |()| kept.iter().try_for_each(|kept| kept.check(&rig)),
    )
}
