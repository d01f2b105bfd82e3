// SPDX-License-Identifier: GPL-2.0

//! Clients leave nothing behind, however they end.

use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rgt::uapi::*;
use rgt::{BindOp, Bo, BoCache, Device, Mapping, Placement, SyncFile, Syncobj, Vm};
use rustix::process::{Signal, getpid, kill_process};

use crate::expect::{raw, same};
use crate::harness::{Outcome, Suite, Used, meeting, tests};
use crate::peer::{SwFence, receive_fd, send_fd};
use crate::rig::{HIDDEN, MIB, PAGE, PATIENCE, Rig, SHARED, SYSTEM};

pub(super) const SUITE: Suite = Suite {
    name: "leak",
    needs: &[],
    tags: &[],
    tests: &[tests![
        create_and_close,
        page_tables,
        refused_calls,
        file_closed_with_everything,
        file_closed_while_a_job_runs,
        file_closed_while_a_job_waits,
        vm_destroyed_while_a_job_waits,
        mapping_outlives_the_file,
        cache_of_the_winsys,
    ]],
};

/// The helper that ends in the middle of its work.
pub(super) const QUITTER: &str = "quit";

/// Its ends: it leaves while its job runs, or while that waits, or it is killed then.
const RUNS: &str = "runs";
pub(super) const LEAVES: &str = "leaves";
const DIES: &str = "dies";

/// Runs a test several times and sees that it leaves nothing in use.
fn leaves_nothing(times: u32, test: impl Fn() -> Outcome) -> Outcome {
    let before = Used::now()?;
    for _ in 0..times {
        test()?;
    }
    before.wait_until_back()
}

fn create_and_close() -> Outcome {
    leaves_nothing(4, || {
        let rig = Rig::new()?;
        for (_, make) in SHARED {
            rig.fill(&rig.bo(MIB, make)?, 1)?;
        }
        rig.fill(&rig.bo(MIB, HIDDEN)?, 1)?;
        rig.bo(MIB, SYSTEM)?.map()?.write(0, 1);
        Ok(())
    })
}

fn page_tables() -> Outcome {
    leaves_nothing(2, || {
        let rig = Rig::new()?;
        let bo = rig.gtt(4 * PAGE)?;
        let va = rig.device.info().va.clone();
        let far = (va.end - va.start) / 64;
        for index in 0..63 {
            let addr = (va.start + index * far).next_multiple_of(PAGE);
            rig.vm.bind(&[BindOp::map(&bo, 0, addr, 4 * PAGE)])?;
        }
        Ok(())
    })
}

fn refused_calls() -> Outcome {
    leaves_nothing(20, || {
        let rig = Rig::new()?;
        let bo = rig.vram(PAGE)?;
        let bad = drm_rgt_gem_create {
            size: PAGE,
            placement: 1 << 20,
            ..Default::default()
        };
        let array = drm_rgt_array {
            stride: 8,
            count: 1,
            address: 0,
        };
        let unknown = drm_rgt_vm_bind {
            vm_id: 99,
            ops: array,
            ..Default::default()
        };
        let job = drm_rgt_cs {
            vm_id: rig.vm.id(),
            ibs: array,
            ..Default::default()
        };
        let twice = rig
            .vm
            .bind(&[BindOp::map(&bo, 0, rig.device.info().va.start, 2 * PAGE)]);
        let refused = [
            raw(&rig.device, bad).is_err(),
            raw(&rig.device, unknown).is_err(),
            raw(&rig.device, job).is_err(),
            twice.is_err(),
        ];
        same("refused", refused, [true; 4])
    })
}

/// BOs with backing, a VM and mappings, none of which is given back but by closing the file.
fn litter(device: &Device) -> Result<u32> {
    let vm_id = raw(device, drm_rgt_vm_create::default())?.vm_id;
    for placement in [
        DRM_RGT_PLACEMENT_VRAM,
        DRM_RGT_PLACEMENT_GTT,
        DRM_RGT_PLACEMENT_SYSTEM,
    ] {
        let create = drm_rgt_gem_create {
            size: MIB,
            placement,
            ..Default::default()
        };
        let handle = raw(device, create)?.handle;
        let offset = raw(
            device,
            drm_rgt_gem_mmap_offset {
                handle,
                ..Default::default()
            },
        )?
        .offset;
        Mapping::new(device, offset, MIB as usize)?.write(0, 1);
        if placement == DRM_RGT_PLACEMENT_SYSTEM {
            continue;
        }
        let op = drm_rgt_vm_bind_op {
            op: DRM_RGT_VM_BIND_OP_MAP,
            handle,
            addr: device.info().va.end - u64::from(placement) * (1 << 30),
            size: MIB,
            ..Default::default()
        };
        raw(
            device,
            drm_rgt_vm_bind {
                vm_id,
                ops: drm_rgt_array::of(&[op]),
                ..Default::default()
            },
        )?;
    }
    Ok(vm_id)
}

fn file_closed_with_everything() -> Outcome {
    leaves_nothing(10, || litter(&Device::open()?).map(drop))
}

/// The helper that ends without closing anything, while its job runs or waits for a fence that it
/// is given. Its arguments are the name of a socket and how it ends.
pub(super) fn quit(arguments: &[&str]) -> Outcome {
    let [name, end] = arguments else {
        bail!("expected a socket and an end, got {arguments:?}")
    };
    let socket = meeting::connect(name)?;
    let rig = Rig::new()?;
    if *end == RUNS {
        let _busy = rig.busy(rig.copy, Duration::from_millis(500), |_| Ok(()))?;
        std::process::exit(0);
    }

    let begin = SyncFile::from(receive_fd(&socket)?);
    let begin = Syncobj::of_sync_file(&rig.device, &begin)?;
    let bo = rig.vram(MIB)?;
    let mut work = rig.work(rig.copy)?;
    let to = work.writes(&bo)?;
    work.commands.fill(to, bo.size(), 1)?;
    work.wait_for(begin.sync());
    work.submit()?;
    if *end == DIES {
        kill_process(getpid(), Signal::KILL)?;
    }
    std::process::exit(0)
}

fn file_closed_while_a_job_runs() -> Outcome {
    leaves_nothing(3, || {
        let (helper, _socket) = meeting::start(QUITTER, RUNS)?;
        helper.finish(PATIENCE)?;
        let rig = Rig::new()?;
        let bo = rig.gtt(PAGE)?;
        rig.fill(&bo, 8)?;
        same("what the next client's job wrote", bo.map()?.read(0), 8)
    })
}

/// Has a client end whose job waits for a fence.
pub(super) fn leave_a_job_that_waits(begin: &SwFence, end: &str) -> Outcome {
    let (helper, socket) = meeting::start(QUITTER, end)?;
    send_fd(&socket, begin.file().as_fd())?;
    let status = helper.end(PATIENCE)?;
    let signal = (end == DIES).then_some(Signal::KILL.as_raw());
    same("signal that ended it", status.signal(), signal)?;
    ensure!(signal.is_some() || status.success(), "it failed: {status}");
    Ok(())
}

/// The fence is another process's, which may take its time with it.
fn file_closed_while_a_job_waits() -> Outcome {
    for end in [LEAVES, DIES] {
        leaves_nothing(1, || {
            let begin = SwFence::new()?;
            leave_a_job_that_waits(&begin, end)?;
            begin.signal()
        })?;
    }
    Ok(())
}

/// The job goes on when it may, and still has what it needs.
fn vm_destroyed_while_a_job_waits() -> Outcome {
    leaves_nothing(1, || {
        let rig = Rig::new()?;
        let bo = rig.vram(MIB)?;
        let held = rig.held(rig.copy, |work| {
            let to = work.writes(&bo)?;
            work.commands.fill(to, MIB, 0x1a7e)?;
            Ok(())
        })?;
        let vm_id = rig.vm.id();
        raw(&rig.device, drm_rgt_vm_destroy { vm_id, pad: 0 })?;
        ensure!(held.is_pending()?, "the job did not wait");
        held.finish()?;
        same("what the job wrote", bo.map()?.read(0), 0x1a7e)
    })
}

fn mapping_outlives_the_file() -> Outcome {
    leaves_nothing(5, || {
        for placement in [Placement::VRAM, Placement::GTT, Placement::SYSTEM] {
            let device = Device::open()?;
            let map = Bo::builder(16 * PAGE)
                .placement(placement)
                .create(&device)?
                .map()?;
            map.write(0, 1);
            drop(device);
            map.write(PAGE as usize, 2);
            same("content", (map.read(0), map.read(PAGE as usize)), (1, 2))?;
        }
        Ok(())
    })
}

fn cache_of_the_winsys() -> Outcome {
    leaves_nothing(1, || {
        let device = Device::open()?;
        let cache = BoCache::new(&device, 4 * MIB, Duration::from_secs(3600));
        let builder = || Bo::builder(MIB).placement(Placement::VRAM);
        let first = cache.get(builder())?;
        let handle = first.handle();
        first.map()?.write(0, 0x01d);
        drop(first);
        let again = cache.get(builder())?;
        same("handle of the BO that came back", again.handle(), handle)?;
        same("what its last user left", again.map()?.read(0), 0x01d)?;
        let other = cache.get(builder().private(&Vm::create(&device)?))?;
        ensure!(
            other.handle() != handle,
            "a private BO came from the shared ones"
        );
        drop((again, other));
        for _ in 0..10 {
            let many = (0..8)
                .map(|_| cache.get(builder()))
                .collect::<rgt::Result<Vec<_>>>()?;
            drop(many);
            ensure!(
                cache.bytes() <= 4 * MIB,
                "the cache holds {}",
                cache.bytes()
            );
        }

        let cache = BoCache::new(&device, 4 * MIB, Duration::from_millis(300));
        drop(cache.get(builder())?);
        thread::sleep(Duration::from_millis(400));
        drop(cache.get(Bo::builder(PAGE))?);
        same("bytes after their time", cache.bytes(), PAGE)
    })
}
