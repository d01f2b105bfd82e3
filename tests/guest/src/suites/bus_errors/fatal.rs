// SPDX-License-Identifier: GPL-2.0

//! An error after which the link is reset, and the GPU below it.

use std::time::Duration;

use anyhow::Context as _;
use rgt::{Context, Device, Priority};

use crate::expect::same;
use crate::harness::{Control, LONG, Outcome, Test, tests};
use crate::peer::Uevents;
use crate::rig::{Kept, PAGE, PATIENCE, Rig};
use crate::suites::reset::{Reset, WEDGED, at_rest, hangs, in_flight, verdict};
use crate::suites::unbind::works;

pub(super) const TESTS: &[Test] = tests![
    LONG;
    at_rest,
    jobs,
    a_move,
    engines_that_hang,
    under_load,
    another_gpu_goes_on,
];

const ROUNDS: u32 = 3;

fn at_rest() -> Outcome {
    (0..ROUNDS).try_for_each(|round| at_rest::at_rest(Reset::Link, round))
}

fn jobs() -> Outcome {
    (0..ROUNDS).try_for_each(|_| in_flight::jobs_during(Reset::Link))
}

fn a_move() -> Outcome {
    (0..ROUNDS).try_for_each(|_| in_flight::a_move_during(Reset::Link))
}

fn engines_that_hang() -> Outcome {
    hangs::before(Reset::Link)
}

fn under_load() -> Outcome {
    in_flight::moves_and_cpu_during(&[Reset::Link])
}

/// User space is told once, of the GPU that was reset.
fn another_gpu_goes_on() -> Outcome {
    let mut control = Control::open()?;
    let nodes = Device::list()?;
    let other = Device::open_path(nodes.get(1).context("a second GPU")?)?;
    let (rig, generation) = (Rig::on(&other)?, other.vram_generation()?);
    let kept = Kept::all(&rig)?;
    let context = Context::create(&other, Priority::Normal)?;
    let bo = rig.visible(PAGE)?;
    let busy = rig.busy(rig.copy, Duration::from_secs(4), |work| {
        work.context(&context);
        let at = work.writes(&bo)?;
        work.commands.write(at, &[7])?;
        Ok(())
    })?;
    let events = Uevents::new()?;

    let device = Device::open()?;
    Reset::Link.perform(&mut control, &device)?;
    same(
        "what helps",
        events.next(WEDGED, PATIENCE)?.as_str(),
        "none",
    )?;
    same("its job runs on", busy.runs()?, true)?;
    busy.wait()?;
    same("what it wrote", bo.map()?.read(0), 7)?;
    verdict("its context", &context, None, false)?;
    same("its generation", other.vram_generation()?, generation)?;
    kept.iter().try_for_each(|kept| kept.check(&rig))?;
    same("another event", events.look(WEDGED)?, None)?;
    works()
}
