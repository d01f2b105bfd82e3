// SPDX-License-Identifier: GPL-2.0

//! A GPU goes while it sleeps.

use std::fs;

use anyhow::Context as _;
use rgt::{Context, Priority};
use rustix::io::Errno;

use super::auto::{Auto, SHORT};
use super::content::Kept;
use crate::expect::fails;
use crate::harness::{Control, Outcome, Test, tests};
use crate::rig::{PAGE, Rig, SHARED};
use crate::suites::reset::directory;
use crate::suites::unbind::works;

// Nothing brings it back after the last one.
pub(super) const TESTS: &[Test] = tests![removed_by_the_bus, pulled_out];

fn removed_by_the_bus() -> Outcome {
    for _ in 0..2 {
        let rig = Rig::new()?;
        let kept = Kept::all(&rig)?;
        let dir = directory(&rig.device)?;
        let auto = Auto::after(&rig.device, SHORT)?;
        auto.falls_asleep()?;
        fs::write(dir.join("remove"), "1").context("remove")?;
        fails("a query", Errno::NODEV, rig.device.regions())?;
        drop((kept, rig, auto));
        fs::write("/sys/bus/pci/rescan", "1").context("rescan")?;
        works()?;
    }
    Ok(())
}

/// What was in VRAM is in pages.
fn pulled_out() -> Outcome {
    let mut control = Control::open()?;
    let rig = Rig::new()?;
    let kept = Kept::new(&rig, SHARED[0].1, 3)?;
    let bo = rig.gtt(PAGE)?;
    let auto = Auto::after(&rig.device, SHORT)?;
    auto.falls_asleep()?;

    control.send("remove 0")?;
    kept.is_seen_by_the_cpu()?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let mut work = rig.work(rig.copy)?;
    work.context(&context);
    let at = work.writes(&bo)?;
    work.commands.write(at, &[1])?;
    fails(
        "a job",
        Errno::NODEV,
        crate::expect::of_library(work.submit()),
    )?;
    kept.is_seen_by_the_cpu()
}
