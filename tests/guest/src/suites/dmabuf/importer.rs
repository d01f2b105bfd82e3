// SPDX-License-Identifier: GPL-2.0

//! Importers that die on their way.

use std::io::Write;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use rgt::Bo;

use super::p2p::{both, sum_of};
use crate::expect::{each, same};
use crate::harness::{Outcome, Used, meeting};
use crate::peer::{receive_fd, send_fd};
use crate::rig::{MIB, PATIENCE, Pressure};

/// The helper that imports a BO of the first GPU to the second one, and stops on its way.
pub(crate) const IMPORTER: &str = "import";

/// The steps of an importer, in this order. In the end a job waits for one that runs.
const STEPS: [&str; 7] = [
    "received", "imported", "bound", "used", "mapped", "running", "pending",
];

const PATTERN: u32 = 0x1a9_0123;

/// The helper: its arguments are the name of a socket and where to stop.
pub(crate) fn import(arguments: &[&str]) -> Outcome {
    let [name, last] = arguments else {
        bail!("expected a socket and a step, got {arguments:?}");
    };
    let mut socket = meeting::connect(name)?;
    let fd = receive_fd(&socket)?;
    let mut reached = |step: &str| -> Outcome {
        if step == *last {
            socket.write_all(&[1])?;
            thread::sleep(2 * PATIENCE);
            bail!("it was not killed");
        }
        Ok(())
    };
    reached("received")?;
    let [_, gpu] = both()?;
    let bo = Bo::import(&gpu.device, fd)?;
    reached("imported")?;
    let _binding = gpu.vm.map(&bo)?;
    reached("bound")?;
    same("sum by the importer", gpu.checksum(&bo)?, sum_of(PATTERN))?;
    reached("used")?;
    let map = bo.map()?;
    same("word", map.read(0), PATTERN)?;
    reached("mapped")?;
    let _reader = gpu.busy(gpu.render, Duration::from_secs(2), |work| {
        work.reads(&bo).map(drop)
    })?;
    reached("running")?;
    let mut writer = gpu.work(gpu.copy)?;
    writer.writes(&bo)?;
    writer.commands.nop()?;
    writer.submit()?;
    reached("pending")?;
    bail!("no step {last}");
}

/// Has an importer of a BO come to a step, and die there.
fn die(bo: &Bo, step: &str) -> Outcome {
    let (importer, socket) = meeting::start(IMPORTER, step)?;
    send_fd(&socket, bo.export()?.as_fd())?;
    meeting::arrives(&socket).context("it does not come so far")?;
    importer.kill()
}

/// A BO whose importer has died is as it was, its jobs and moves go on, and its memory comes back.
pub(super) fn an_importer_dies_at_each_step() -> Outcome {
    each(STEPS.map(|step| (step, step)), |step| {
        let before = Used::now()?;
        let [one, _] = both()?;
        let bo = one.bo(MIB, |bo| bo)?;
        one.fill(&bo, PATTERN)?;
        die(&bo, step)?;
        same("sum", one.checksum(&bo)?, sum_of(PATTERN))?;
        one.fill(&bo, 1)?;
        Pressure::on(&one.device)?.round()?;
        same("sum after a move", one.checksum(&bo)?, sum_of(1))?;
        drop((bo, one));
        before.wait_until_back()
    })
}
