// SPDX-License-Identifier: GPL-2.0

//! A GPU that no reset makes run again: it is given up, and a new bind helps.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use anyhow::{Context as _, ensure};
use rgt::{Context, Device, FenceStatus, Priority, Syncobj, WaitFrom};
use rustix::io::Errno;

use super::events::WEDGED;
use super::{Reset, directory};
use crate::expect::{fails, same};
use crate::harness::{Control, Outcome, Test, tests};
use crate::peer::Uevents;
use crate::rig::{HIDDEN, PAGE, PATIENCE, Rig};
use crate::suites::power::Sleep;
use crate::suites::unbind::{Unbound, works};

pub(super) const TESTS: &[Test] = tests![without_bus_mastering, unbound_after_a_reset];

/// PCI's command register, and its bit that lets a device use the bus.
const COMMAND: u64 = 4;
const MASTER: u8 = 1 << 2;

/// Takes the bus from the GPU: no ring runs.
fn take_the_bus(device: &Device) -> Outcome {
    let path = directory(device)?.join("config");
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut low = [0];
    file.read_exact_at(&mut low, COMMAND)?;
    file.write_all_at(&[low[0] & !MASTER], COMMAND)?;
    Ok(())
}

fn without_bus_mastering() -> Outcome {
    let rig = Rig::new()?;
    let events = Uevents::new()?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    // Its content cannot be saved when it is evicted from a dead GPU.
    let hidden = rig.bo(PAGE, HIDDEN)?;
    rig.fill(&hidden, 1)?;
    take_the_bus(&rig.device)?;
    let mut works_of_all = Vec::new();
    for engine in rig.device.engines() {
        let done = Syncobj::new(&rig.device)?;
        let mut work = rig.work(*engine)?;
        work.context(&context);
        work.commands.nop()?;
        work.signal(done.sync());
        work.submit()?;
        works_of_all.push((work, done.sync_file()?, done));
    }
    for (work, file, done) in &mut works_of_all {
        done.wait(PATIENCE, WaitFrom::Now).context("a job")?;
        ensure!(matches!(file.status()?, FenceStatus::Failed(_)), "it ran");
        work.wait()?;
    }

    // Before that, resets were tried.
    loop {
        match events.next(WEDGED, PATIENCE)?.as_str() {
            "none" => {}
            other => break same("what helps", other, "rebind,bus-reset")?,
        }
    }
    let status = context.status()?;
    ensure!(status.cause.is_some() && !status.guilty, "{status:?}");
    let late = rgt::Job::new(&rig.vm, rig.copy).submit();
    fails("a job", Errno::NODEV, late)?;
    let new = Context::create(&rig.device, Priority::Normal);
    fails("a context", Errno::NODEV, new.map(drop))?;
    Sleep::Devices.enter().context("sleep with a dead GPU")?;
    drop((works_of_all, hidden, rig));
    Unbound::now()?.bind()?;
    works()
}

fn unbound_after_a_reset() -> Outcome {
    for reset in Reset::ALL {
        let mut control = Control::open()?;
        let rig = Rig::new()?;
        let mut busy = rig.endless(rig.copy, |_| Ok(()))?;
        reset.perform(&mut control, &rig.device)?;
        let unbound = Unbound::now()?;
        busy.forget();
        drop((busy, rig));
        unbound.bind()?;
        works()?;
    }
    Ok(())
}
