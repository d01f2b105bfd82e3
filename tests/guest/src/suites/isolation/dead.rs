// SPDX-License-Identifier: GPL-2.0

//! Jobs outlive the VM that they run in: it is destroyed, or its process ends or is killed. The
//! memory that they have there moves all the same.

use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rgt::{WaitFor, uapi};
use rustix::process::{Pid, Signal, kill_process};

use super::LENGTH;
use super::others::{ROOM, Secrets, all_but};
use super::reader::{Access, Bos, check_result, moved};
use crate::harness::{Outcome, Test, meeting, tests};
use crate::peer::{Cpu, DmaBuf, receive_fd, send_fd};
use crate::rig::{PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    a_destroyed_vm_reads_only_its_own,
    a_destroyed_vm_writes_only_its_own,
    a_job_that_runs_reads_only_its_own,
    an_ended_process_reads_only_its_own,
    an_ended_process_writes_only_its_own,
    a_killed_process_reads_only_its_own,
    a_killed_process_writes_only_its_own,
];

/// The helper that ends, or is killed, while its job runs.
pub(in crate::suites) const VICTIM: &str = "victim";

/// Time for another thread or process to do what it is about to do.
const SOON: Duration = Duration::from_millis(300);

fn a_destroyed_vm_reads_only_its_own() -> Outcome {
    destroyed(Access::Reads)
}

fn a_destroyed_vm_writes_only_its_own() -> Outcome {
    destroyed(Access::Writes)
}

/// The job waits until all is done.
fn destroyed(access: Access) -> Outcome {
    let (_filler, _bos) = all_but(ROOM)?;
    let rig = Rig::new()?;
    let bos = Bos::new(&rig)?;
    let mut held = rig.held(rig.render, |work| bos.access(work, access))?;

    let destroyer = destroy(&rig);
    // Its number is gone, and it waits for its jobs.
    thread::sleep(SOON);
    let mover = moved(bos.moving.map()?);
    let secrets = Secrets::begin()?;
    secrets.settle_within(LENGTH)?;
    held.release()?;
    held.finish()?;
    destroyer
        .join()
        .map_err(|_| anyhow::anyhow!("VM_DESTROY"))??;
    mover.join().map_err(|_| anyhow::anyhow!("a page fault"))?;
    bos.result.wait(PATIENCE, WaitFor::All)?;
    check_result(&bos.result.map()?)?;
    secrets.check()
}

/// Destroys a VM, which may wait for its jobs.
fn destroy(rig: &Rig) -> thread::JoinHandle<rgt::Result<()>> {
    let (device, vm_id) = (rig.device.clone(), rig.vm.id());
    thread::spawn(move || device.call(&mut uapi::drm_rgt_vm_destroy { vm_id, pad: 0 }))
}

/// The job has the engine already.
fn a_job_that_runs_reads_only_its_own() -> Outcome {
    let (_filler, _bos) = all_but(ROOM)?;
    let rig = Rig::new()?;
    let bos = Bos::new(&rig)?;
    let mut busy = rig.busy(rig.render, LENGTH, |work| bos.access(work, Access::Reads))?;

    let destroyer = destroy(&rig);
    // Its number is gone, and it waits for its jobs.
    thread::sleep(SOON);
    let mover = moved(bos.moving.map()?);
    let secrets = Secrets::begin()?;
    busy.settle()?;
    destroyer
        .join()
        .map_err(|_| anyhow::anyhow!("VM_DESTROY"))??;
    mover.join().map_err(|_| anyhow::anyhow!("a page fault"))?;
    bos.result.wait(PATIENCE, WaitFor::All)?;
    check_result(&bos.result.map()?)?;
    secrets.check()
}

/// The helper: submits a long job, hands its BOs over, and ends, or waits to be killed.
pub(in crate::suites) fn die(arguments: &[&str]) -> Outcome {
    let [name, kind] = arguments else {
        bail!("expected a socket and how to die, got {arguments:?}");
    };
    let access = match kind.contains("reads") {
        true => Access::Reads,
        false => Access::Writes,
    };
    let socket = meeting::connect(name)?;
    let rig = Rig::new()?;
    let bos = Bos::new(&rig)?;
    let busy = rig.busy(rig.render, LENGTH, |work| bos.access(work, access))?;
    for bo in [&bos.moving, &bos.result] {
        send_fd(&socket, bo.export()?.as_fd())?;
    }
    // The end of the process is what destroys all of it.
    std::mem::forget((rig, bos, busy));
    if kind.contains("killed") {
        thread::sleep(2 * PATIENCE);
        bail!("it was not killed");
    }
    Ok(())
}

fn an_ended_process_reads_only_its_own() -> Outcome {
    of_a_process("ended-reads")
}

fn an_ended_process_writes_only_its_own() -> Outcome {
    of_a_process("ended-writes")
}

fn a_killed_process_reads_only_its_own() -> Outcome {
    of_a_process("killed-reads")
}

fn a_killed_process_writes_only_its_own() -> Outcome {
    of_a_process("killed-writes")
}

fn of_a_process(kind: &str) -> Outcome {
    let (_filler, _bos) = all_but(ROOM)?;
    let (victim, socket) = meeting::start(VICTIM, kind)?;
    let receive = || -> Result<DmaBuf> {
        meeting::arrives(&socket).context("it does not send")?;
        Ok(receive_fd(&socket)?.into())
    };
    let (moving, result) = (receive()?, receive()?);
    if kind.contains("killed") {
        let pid = Pid::from_raw(victim.pid() as i32).context("a process has a number")?;
        kill_process(pid, Signal::KILL).context("it ended early")?;
    }
    // Its end may wait for its job.
    thread::sleep(SOON);
    let mover = moved(moving.map()?);
    let secrets = Secrets::begin()?;
    let status = victim.end(PATIENCE)?;
    ensure!(status.success() != kind.contains("killed"), "{status}");
    mover.join().map_err(|_| anyhow::anyhow!("a page fault"))?;
    // The jobs of a client without references to its memory are waited for, too.
    result.access(Cpu::Reads, check_result)??;
    secrets.check()
}
