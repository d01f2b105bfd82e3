// SPDX-License-Identifier: GPL-2.0

//! Engines that take their time: they are left alone, and device time is the device's.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rgt::{Context, Device, Priority};

use crate::expect::same;
use crate::harness::{Control, Outcome, Test, tests};
use crate::rig::{MIB, PATIENCE, Rig};
use crate::suites::observe::Debugfs;

pub(super) const TESTS: &[Test] = tests![a_slow_engine, device_time];

/// How much longer packets take.
const FACTOR: u32 = 20;
/// Bytes that one job fills, several times.
const SIZE: u64 = 4 * MIB;
const FILLS: usize = 32;

/// An engine whose speed is normal again when this is dropped.
struct Slow(Control, u32);

impl Slow {
    fn new(engine: u32) -> Result<Self> {
        let mut this = Self(Control::open()?, engine);
        this.set(FACTOR)?;
        Ok(this)
    }

    fn set(&mut self, factor: u32) -> Outcome {
        self.0.send(&format!("slow 0 {} {factor}", self.1))
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        // A test that fails on its way leaves a normal engine to the next one.
        let _ = self.set(1);
    }
}

/// A job on a slow engine takes longer, and is not taken for one that hangs.
fn a_slow_engine() -> Outcome {
    let rig = Rig::new()?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let bo = rig.gtt(SIZE)?;
    rig.fill(&bo, 1)?;
    let run = |value: u32| -> Result<Duration> {
        let mut work = rig.work(rig.copy)?;
        work.context(&context);
        let at = work.writes(&bo)?;
        for _ in 0..FILLS {
            work.commands.fill(at, SIZE, value)?;
        }
        let start = Instant::now();
        work.run()?;
        Ok(start.elapsed())
    };
    let normal = (2..5).map(run).min_by_key(|it| it.as_ref().ok().copied());
    let normal = normal.context("it ran")??;
    let slow = Slow::new(rig.copy.id)?;
    let longer = run(7)?;
    drop(slow);
    ensure!(longer > normal * 2, "{longer:?}, and {normal:?} before");
    let map = bo.map()?;
    same("what it wrote", map.read(SIZE as usize - 4), 7)?;
    let status = context.status()?;
    same("its context", (status.cause, status.resets), (None, 0))
}

/// The busy times of idle engines in debugfs are those that the device has counted.
fn device_time() -> Outcome {
    let rig = Rig::new()?;
    for engine in rig.device.engines() {
        let bo = rig.gtt(MIB)?;
        let mut work = rig.work(*engine)?;
        let at = work.writes(&bo)?;
        work.commands.fill(at, MIB, 1)?;
        work.run()?;
    }
    let (mut control, debugfs) = (Control::open()?, Debugfs::of(&Device::open()?)?);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counted = control.counters("busy_ns")?;
        let lines = debugfs.lines("engines")?;
        let shown = lines.iter().map(|line| line.number("busy_ns"));
        let shown = shown.collect::<Result<Vec<_>>>()?;
        // The kernel may have had something to clear or to move meanwhile.
        if control.counters("busy_ns")? == counted {
            ensure!(shown.iter().all(|busy| *busy > 0), "no time: {shown:?}");
            return same("device time", shown, counted);
        }
        ensure!(Instant::now() < deadline, "the engines are never idle");
    }
}
