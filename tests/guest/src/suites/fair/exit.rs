// SPDX-License-Identifier: GPL-2.0

//! The end of a process that has many contexts and VMs, all with jobs that another holds up.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rgt::{Context, Priority, SyncFile, Syncobj};

use crate::harness::{Outcome, Test, meeting, tests};
use crate::peer::{SwFence, receive_fd, send_fd};
use crate::rig::Rig;

pub(super) const TESTS: &[Test] = tests![killed, leaves];

/// The helper.
pub(crate) const HOARDER: &str = "hoarder";

/// Its ends: it is killed, or leaves.
const DIES: &str = "dies";
const LEAVES: &str = "leaves";

const CONTEXTS: usize = 24;
const VMS: usize = 4;

/// Longer than the driver waits for a client as a whole, and less than for each of its contexts.
const BOUND: Duration = Duration::from_secs(12);

/// The helper: makes contexts and VMs whose jobs wait for a fence of another process, and stays
/// until it is told to leave.
pub(crate) fn hoard(arguments: &[&str]) -> Outcome {
    let [name, _] = arguments else {
        bail!("expected the name of a socket, and an end")
    };
    let mut socket = meeting::connect(name)?;
    let file: SyncFile = receive_fd(&socket)?.into();
    let rig = Rig::new()?;
    let begin = Syncobj::of_sync_file(&rig.device, &file)?;
    let vms = (0..VMS)
        .map(|_| rig.sibling())
        .collect::<Result<Vec<_>>>()?;
    let engines = rig.device.engines();
    for number in 0..CONTEXTS {
        let context = Context::create(&rig.device, Priority::Normal)?;
        let mut work = vms[number % VMS].work(engines[number % engines.len()])?;
        work.context(&context);
        work.commands.nop()?;
        work.wait_for(begin.sync());
        work.submit()?;
        // They end with the process.
        std::mem::forget((work, context));
    }
    socket.write_all(&[1])?;
    socket.read_exact(&mut [0])?;
    std::process::exit(0);
}

/// Has a client end that way, and returns how long that takes.
fn time_to(end: &str) -> Result<Duration> {
    let begin = SwFence::new()?;
    let (helper, mut socket) = meeting::start(HOARDER, end)?;
    send_fd(&socket, begin.file().as_fd())?;
    meeting::arrives(&socket)?;
    socket.read_exact(&mut [0])?;
    thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    if end == DIES {
        helper.kill()?;
    } else {
        socket.write_all(&[1])?;
        helper.finish(10 * BOUND)?;
    }
    let took = start.elapsed();
    begin.signal()?;
    Ok(took)
}

fn killed() -> Outcome {
    let took = time_to(DIES)?;
    ensure!(took < BOUND, "it took {took:?}");
    Ok(())
}

fn leaves() -> Outcome {
    let took = time_to(LEAVES)?;
    ensure!(took < BOUND, "it took {took:?}");
    Ok(())
}
