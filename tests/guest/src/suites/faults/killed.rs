// SPDX-License-Identifier: GPL-2.0

//! A program that is killed while it waits for memory that is being destroyed.

use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use rgt::{Placement, RegionKind};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Helper, Outcome, Test, tests};
use crate::peer::{Cpu, DmaBuf, SwFence};
use crate::rig::{MIB, PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![it_ends_at_once];

/// The helper that faults.
pub(in crate::suites) const FAULTER: &str = "fault";

/// Longer than TTM waits for a single BO.
const STUCK: Duration = Duration::from_secs(20);

/// All visible VRAM is that of a BO without references that waits for a fence of another driver.
fn it_ends_at_once() -> Outcome {
    let busy = SwFence::new()?;
    {
        let rig = Rig::new()?;
        let vram = rig.device.region(RegionKind::Vram)?;
        let vram = vram.context("there is VRAM")?;
        let bo = rig.visible(vram.cpu_visible_size - vram.cpu_visible_used)?;
        bo.map()?.write(0, 1);
        let buf: DmaBuf = bo.export()?.into();
        buf.import_sync_file(Cpu::Writes, busy.file())?;
    }

    let helper = Helper::start(FAULTER, &[])?;
    thread::sleep(STUCK);
    let pid = Pid::from_raw(helper.pid() as i32).context("a process has a number")?;
    kill_process(pid, Signal::KILL).context("it ended early")?;
    let status = helper.end(PATIENCE)?;
    ensure!(!status.success(), "it found memory");
    busy.signal()
}

/// Touches a BO that must be in visible VRAM.
pub(in crate::suites) fn fault() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(MIB, |bo| bo.placement(Placement::VRAM))?;
    bo.map()?.write(0, 1);
    Ok(())
}
