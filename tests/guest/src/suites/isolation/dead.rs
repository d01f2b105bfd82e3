// SPDX-License-Identifier: GPL-2.0

//! Jobs outlive the VM that they run in, which is destroyed. The memory that they have there moves
//! all the same.

use std::thread;
use std::time::Duration;

use rgt::{WaitFor, uapi};

use super::LENGTH;
use super::others::{ROOM, Secrets, all_but};
use super::reader::{Access, Bos, check_result, moved};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![
    a_destroyed_vm_reads_only_its_own,
    a_destroyed_vm_writes_only_its_own,
    a_job_that_runs_reads_only_its_own,
];

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
