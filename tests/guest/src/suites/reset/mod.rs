// SPDX-License-Identifier: GPL-2.0

//! Resets of the GPU that the driver has not asked for: by the bus, which tells it before, and by a
//! loss of power, which does not.

pub(super) mod at_rest;
mod events;
mod given_up;
pub(super) mod hangs;
pub(super) mod in_flight;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rgt::{Cause, Context, Device};

use crate::expect::same;
use crate::harness::{Control, Need, Outcome, Suite};
use crate::rig::PATIENCE;
use crate::suites::bus_errors::{Port, Severity};

pub(super) use events::WEDGED;

pub(super) const SUITE: Suite = Suite {
    name: "reset",
    needs: &[Need::LastOfBoot],
    tags: &[],
    tests: &[
        at_rest::TESTS,
        in_flight::TESTS,
        hangs::TESTS,
        events::TESTS,
        // Takes the driver from the device.
        given_up::TESTS,
    ],
};

/// A reset.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reset {
    /// A function-level reset, by a file in sysfs.
    Function,
    /// A loss of power, by the device process.
    PowerLoss,
    /// One of the link above it, for a fatal error there.
    Link,
}

impl Reset {
    /// Those that no other part of the machine makes.
    const ALL: [Self; 2] = [Self::Function, Self::PowerLoss];

    /// Resets the first GPU.
    pub(super) fn perform(self, control: &mut Control, device: &Device) -> Outcome {
        match self {
            Self::Function => reset_function(device),
            Self::PowerLoss => control.send("power-loss 0"),
            Self::Link => Port::above(device)?.inject(Severity::Fatal)?.recovers(),
        }
    }
}

/// Resets a device's PCI function.
pub(super) fn reset_function(device: &Device) -> Outcome {
    let dir = directory(device)?;
    let methods = fs::read_to_string(dir.join("reset_method"))?;
    ensure!(methods.starts_with("flr"), "the methods are {methods}");
    fs::write(dir.join("reset"), "1").context("a function-level reset")
}

/// The directory of a device's PCI function.
pub(super) fn directory(device: &Device) -> Result<PathBuf> {
    let name = device.path().file_name().context("a node's name")?;
    Ok(PathBuf::from("/sys/class/drm").join(name).join("device"))
}

/// Waits until so many engines hang.
fn until_hung(control: &mut Control, engines: usize) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counters = control.ask("counters 0")?;
        let hung = counters.matches("\"hung\":true").count();
        if hung == engines {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "{hung} engines of {engines} hang"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// Checks the status of a context.
pub(super) fn verdict(who: &str, context: &Context, cause: Option<Cause>, guilty: bool) -> Outcome {
    let verdict = context.status()?;
    same(who, (verdict.cause, verdict.guilty), (cause, guilty))
}
