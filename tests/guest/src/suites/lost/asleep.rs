// SPDX-License-Identifier: GPL-2.0

//! A GPU that is pulled out while it sleeps.

use rgt::{Context, Priority};
use rustix::io::Errno;

use super::third;
use crate::expect::{fails, of_library};
use crate::harness::{Control, Outcome, Test, tests};
use crate::rig::{Kept, PAGE, Rig, SHARED};
use crate::suites::runtime_pm::{Auto, SHORT};

pub(super) const TESTS: &[Test] = tests![pulled_out_asleep];

/// What was in VRAM is in pages, which stay. The first job finds out.
fn pulled_out_asleep() -> Outcome {
    let mut control = Control::open()?;
    let (device, number) = third()?;
    let rig = Rig::on(&device)?;
    let kept = Kept::new(&rig, SHARED[0].1, 3)?;
    let bo = rig.gtt(PAGE)?;
    let auto = Auto::after(&device, SHORT)?;
    auto.falls_asleep()?;

    control.send(&format!("remove {number}"))?;
    auto.sleeps_on("accesses of the CPU", || kept.is_seen_by_the_cpu())?;
    let context = Context::create(&device, Priority::Normal)?;
    let mut work = rig.work(rig.copy)?;
    work.context(&context);
    let at = work.writes(&bo)?;
    work.commands.write(at, &[1])?;
    fails("a job", Errno::NODEV, of_library(work.submit()))?;
    kept.is_seen_by_the_cpu()
}
