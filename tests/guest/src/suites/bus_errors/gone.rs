// SPDX-License-Identifier: GPL-2.0

//! A GPU that does not answer after the reset of its link: it is given up.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rgt::{Context, Device, FenceStatus, Priority, Syncobj, WaitFrom};
use rustix::io::Errno;

use super::{Port, Severity};
use crate::expect::{fails, of_library, same};
use crate::harness::{Control, Outcome, Test, tests};
use crate::peer::Uevents;
use crate::rig::{PATIENCE, Rig};
use crate::suites::reset::WEDGED;
use crate::suites::unbind::works;

pub(super) const TESTS: &[Test] = tests![does_not_come_back];

fn does_not_come_back() -> Outcome {
    let mut control = Control::open()?;
    let nodes = Device::list()?;
    let device = Device::open_path(nodes.get(1).context("a second GPU")?)?;
    let rig = Rig::on(&device)?;
    let context = Context::create(&device, Priority::Normal)?;
    let done = Syncobj::new(&device)?;
    let mut busy = rig.busy(rig.render, Duration::from_secs(20), |work| {
        work.context(&context);
        work.signal(done.sync());
        Ok(())
    })?;
    let file = done.sync_file()?;
    let mut late = rig.work(rig.copy)?;
    late.commands.nop()?;
    let port = Port::above(&device)?;
    let events = Uevents::new()?;

    control.send("remove 1")?;
    port.inject(Severity::Fatal)?.fails()?;
    done.wait(Duration::from_secs(5), WaitFrom::Now)
        .context("a job")?;
    ensure!(
        matches!(file.status()?, FenceStatus::Failed(_)),
        "a job ended well"
    );
    busy.forget();
    same(
        "what helps",
        events.next(WEDGED, PATIENCE)?.as_str(),
        "bus-reset",
    )?;
    fails("a job", Errno::NODEV, of_library(late.submit()))?;
    let new = Context::create(&device, Priority::Normal);
    fails("a context", Errno::NODEV, new.map(drop))?;
    // The first one has noticed nothing.
    works()
}
