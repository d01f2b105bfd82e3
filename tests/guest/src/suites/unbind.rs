// SPDX-License-Identifier: GPL-2.0

//! The driver is taken from the device, and given back, while clients use it.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use rgt::Mapping;
use rgt::uapi::*;
use rustix::io::Errno;

use super::submit::write_late;
use super::userptr::{Late, submit};
use super::{clients, dmabuf, leak};
use crate::expect::{fails, raw, same};
use crate::harness::{Need, Outcome, Suite, tests};
use crate::peer::SwFence;
use crate::rig::{MIB, PAGE, Rig, SHARED, noise};

pub(super) const SUITE: Suite = Suite {
    name: "unbind",
    needs: &[Need::LastOfBoot],
    tags: &[],
    tests: &[
        tests![
            idle,
            while_mapped,
            while_a_job_runs,
            while_a_vm_is_given_up,
            while_calls_wait_for_memory,
            while_a_word_waits_for_memory,
            under_load
        ],
        dmabuf::LIFETIMES,
    ],
};

const DRIVER: &str = "/sys/bus/pci/drivers/rust_gpu_ttm";
/// How long clients may take to notice that their device is gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// A device without its driver, which it gets back when this is dropped.
pub(super) struct Unbound(String);

impl Unbound {
    pub(super) fn now() -> Result<Self> {
        let address = fs::read_dir(DRIVER)?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .find(|name| name.contains(':'))
            .context("no device is bound")?;
        fs::write(format!("{DRIVER}/unbind"), &address).context("unbind")?;
        Ok(Self(address))
    }

    /// Gives it the driver, if that takes it.
    pub(super) fn try_bind(&self) -> io::Result<()> {
        fs::write(format!("{DRIVER}/bind"), &self.0)
    }

    /// Takes the driver from it if it has one after all.
    pub(super) fn again(&self) -> Outcome {
        if fs::exists(format!("{DRIVER}/{}", self.0))? {
            fs::write(format!("{DRIVER}/unbind"), &self.0).context("unbind")?;
        }
        Ok(())
    }

    pub(super) fn bind(self) -> Outcome {
        self.try_bind().context("bind")?;
        self.forget();
        Ok(())
    }

    /// Leaves it to something else to give it the driver.
    pub(super) fn forget(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        // A test that fails on its way leaves a device to the next one.
        let _ = self.try_bind();
    }
}

/// The device does what it should.
pub(super) fn works() -> Outcome {
    let rig = Rig::new()?;
    let (source, target) = (rig.vram(MIB)?, rig.gtt(MIB)?);
    rig.fill(&source, 0x600d_600d)?;
    rig.copy(&source, &target)?;
    same(
        "last word",
        target.map()?.read(MIB as usize - 4),
        0x600d_600d,
    )
}

fn idle() -> Outcome {
    for _ in 0..3 {
        Unbound::now()?.bind()?;
        works()?;
    }
    Ok(())
}

/// Mappings stay usable, so that a program is not killed, and read as zeros at first; calls say that
/// the device is gone.
fn while_mapped() -> Outcome {
    const JUNK: usize = 32 << 20;
    let rig = Rig::new()?;
    let bos = SHARED
        .iter()
        .map(|(_, make)| rig.bo(4 * PAGE, *make))
        .collect::<Result<Vec<_>>>()?;
    let maps = bos
        .iter()
        .map(|bo| Ok(bo.map()?))
        .collect::<Result<Vec<_>>>()?;
    for (bo, map) in bos.iter().zip(&maps) {
        rig.fill(bo, 1)?;
        map.write(0, 2);
    }

    let unbound = Unbound::now()?;
    // Memory that is free now has content.
    Mapping::anonymous(JUNK)?.write_slice(0, &noise(1, JUNK / 4));
    for map in &maps {
        same("a mapping", map.checksum(0..map.len()), 0)?;
        map.write(PAGE as usize, 3);
        same("what was just written", map.read(PAGE as usize), 3)?;
    }
    fails("a query", Errno::NODEV, rig.device.regions())?;
    fails(
        "a new BO",
        Errno::NODEV,
        rgt::Bo::builder(PAGE).create(&rig.device),
    )?;
    unbound.bind()?;
    // The old file stays without a device.
    fails("a query", Errno::NODEV, rig.device.regions())?;
    works()?;
    drop((maps, bos, rig));
    works()
}

fn while_a_job_runs() -> Outcome {
    let rig = Rig::new()?;
    let mut busy = rig.busy(rig.copy, Duration::from_secs(3), |_| Ok(()))?;
    let mut queued = rig.busy(rig.render, Duration::from_secs(3), |_| Ok(()))?;

    let unbound = Unbound::now()?;
    busy.forget();
    queued.forget();
    drop((busy, queued, rig));
    unbound.bind()?;
    works()
}

/// A client has gone, but its job waits for a fence: what it uses is the device's until then.
fn while_a_vm_is_given_up() -> Outcome {
    let begin = SwFence::new()?;
    leak::leave_a_job_that_waits(&begin, leak::LEAVES)?;
    let unbinding = thread::spawn(Unbound::now);
    thread::sleep(Duration::from_secs(1));
    ensure!(!unbinding.is_finished(), "the job still waits");
    begin.signal()?;
    let unbound = unbinding.join();
    unbound.map_err(|_| anyhow!("a thread panicked"))??.bind()?;
    works()
}

/// Memory that does not come keeps calls from their end, and not the device.
fn while_calls_wait_for_memory() -> Outcome {
    const LEN: usize = PAGE as usize;
    let rig = Rig::new()?;
    let late = || Late::new(LEN);
    let all = [late()?, late()?, late()?, late()?];
    let [mapped, used, ops, answer] = &all;
    used.bring()?;
    let _bound = used.area().bind(&rig)?;
    used.give_up()?;
    let range = rig.vm.reserve(LEN as u64)?;

    let address = |late: &Late| late.area().as_ptr().addr() as u64;
    let op = mapped.area().op(range.addr());
    let request = drm_rgt_vm_bind {
        vm_id: rig.vm.id(),
        ops: drm_rgt_array {
            stride: 64,
            count: 1,
            address: address(ops),
        },
        ..Default::default()
    };
    let query = drm_rgt_query {
        query: DRM_RGT_QUERY_REGIONS,
        size: PAGE,
        data: address(answer),
        ..Default::default()
    };
    thread::scope(|scope| {
        let bind = scope.spawn(|| rig.vm.bind(&[op]));
        let job = scope.spawn(|| submit(&rig));
        let decoded = scope.spawn(|| raw(&rig.device, request).map(drop));
        let answered = scope.spawn(|| raw(&rig.device, query).map(drop));
        let done = all
            .iter()
            .try_for_each(Late::is_awaited)
            .and_then(|()| unbound_within(PATIENCE));
        // In any case: the calls end with that.
        let brought = all.iter().try_for_each(Late::bring);
        let calls = [bind, job, decoded, answered].map(|call| call.join().expect("a call"));
        let unbound = done?;
        brought?;
        let [bind, job, decoded, answered] = calls;
        fails("VM_BIND", Errno::NODEV, bind)?;
        fails("CS", Errno::NODEV, job)?;
        // It was all zeros.
        fails("VM_BIND of late operations", Errno::INVAL, decoded)?;
        answered.context("QUERY")?;
        unbound.bind()
    })?;
    works()
}

/// A client has gone, but not its memory: what is to be written there is, and keeps no device.
fn while_a_word_waits_for_memory() -> Outcome {
    let late = Late::new(PAGE as usize)?;
    let gate = SwFence::new()?;
    let rig = Rig::new()?;
    write_late(&rig, &late, &gate, 1)?;
    gate.signal()?;
    let done = late.is_awaited().and_then(|()| {
        drop(rig);
        unbound_within(PATIENCE)
    });
    late.bring()?;
    let unbound = done?;
    let deadline = Instant::now() + PATIENCE;
    while late.area().read(0) == 0 {
        ensure!(Instant::now() < deadline, "the word is not written");
    }
    unbound.bind()?;
    works()
}

/// Takes the driver from the device, if that is done in time.
fn unbound_within(limit: Duration) -> Result<Unbound> {
    let unbinding = thread::spawn(Unbound::now);
    let deadline = Instant::now() + limit;
    while !unbinding.is_finished() {
        ensure!(Instant::now() < deadline, "unbinding does not end");
        thread::sleep(Duration::from_millis(20));
    }
    unbinding.join().map_err(|_| anyhow!("a thread panicked"))?
}

fn under_load() -> Outcome {
    let workers = [clients::start(21, PATIENCE)?, clients::start(22, PATIENCE)?];
    thread::sleep(Duration::from_secs(2));

    let unbound = Unbound::now()?;
    for worker in workers {
        let status = worker.end(PATIENCE)?;
        ensure!(!status.success(), "a worker did not notice: {status}");
    }
    unbound.bind()?;
    works()
}
