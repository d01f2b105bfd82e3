// SPDX-License-Identifier: GPL-2.0

//! A GPU that nobody uses falls asleep, and is left asleep by those who only look.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use rgt::uapi::{drm_rgt_array, drm_rgt_cs, drm_rgt_vm_bind};
use rgt::{Context, Priority, Vm, WaitFor};
use rustix::io::Errno;

use super::auto::{Auto, SHORT, WHILE};
use crate::expect::{fails, raw, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PAGE, Rig, SHARED, shrink_all};
use crate::suites::observe::{Debugfs, FdInfo};
use crate::suites::reset::directory;
use crate::suites::userptr::{Late, submit};
use crate::suites::vm::{numbered, seen_at};

pub(super) const TESTS: &[Test] = tests![
    once_it_may,
    looks_leave_it_asleep,
    what_is_purged_is_out_of_reach,
    its_clock_wakes_it,
    what_is_made_leaves_it_asleep,
    calls_that_wait_for_memory,
];

/// As the PCI core has it, a GPU does not sleep before user space allows it.
pub(super) fn awake_without_permission(rig: &Rig) -> Outcome {
    let power = directory(&rig.device)?.join("power");
    let is = |file: &str, value: &str| -> Outcome {
        same(
            file,
            fs::read_to_string(power.join(file))?.trim_end(),
            value,
        )
    };

    is("control", "on")?;
    is("autosuspend_delay_ms", "5000")?;
    fs::write(power.join("autosuspend_delay_ms"), "0")?;
    rig.fill(&rig.vram(MIB)?, 1)?;
    thread::sleep(WHILE);
    is("runtime_status", "active")?;
    Ok(fs::write(power.join("autosuspend_delay_ms"), "5000")?)
}

fn once_it_may() -> Outcome {
    let rig = Rig::new()?;
    awake_without_permission(&rig)?;

    let bo = rig.vram(MIB)?;
    rig.fill(&bo, 1)?;
    let auto = Auto::after(&rig.device, SHORT)?;
    auto.falls_asleep()?;
    for round in 2..5 {
        auto.wakes("a job", || rig.fill(&bo, round))?;
    }
    drop(auto);
    awake_without_permission(&rig)
}

/// Statistics, the files of debugfs and the shrinker.
fn looks_leave_it_asleep() -> Outcome {
    let rig = Rig::new()?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let bos = SHARED
        .iter()
        .map(|(_, make)| rig.bo(MIB, *make))
        .collect::<Result<Vec<_>>>()?;
    bos.iter().try_for_each(|bo| rig.fill(bo, 1))?;
    let debugfs = Debugfs::of(&rig.device)?;
    let auto = Auto::after(&rig.device, SHORT)?;
    auto.falls_asleep()?;
    let busy = rig.device.busy(rig.copy)?;

    same("it was busy", busy.is_zero(), false)?;
    auto.sleeps_on("QUERY", || {
        rig.device.regions()?;
        rig.device.reset_count()?;
        rig.device.vram_generation()?;
        same("a status", context.status()?.cause, None)?;
        same("the time of an engine", rig.device.busy(rig.copy)?, busy)
    })?;
    auto.sleeps_on("GEM_INFO, GEM_WAIT and GEM_MADVISE", || {
        for bo in &bos {
            bo.info()?;
            bo.wait(Duration::ZERO, WaitFor::All)?;
            bo.dont_need()?;
            same("it is there", bo.will_need()?, true)?;
        }
        Ok(())
    })?;
    auto.sleeps_on("fdinfo", || {
        FdInfo::of(&rig.device)?.memory("vram").map(drop)
    })?;
    auto.sleeps_on("debugfs", || {
        let files = debugfs.files()?;
        ensure!(files.len() > 12, "only {files:?}");
        files
            .iter()
            .try_for_each(|file| debugfs.text(file).map(drop))?;
        let rings = debugfs.text("rings")?;
        same("rings", rings.as_str(), "device: asleep\n")
    })?;
    auto.sleeps_on("the shrinker", shrink_all)?;
    auto.wakes("jobs", || {
        bos.iter().try_for_each(|bo| {
            same(
                "content",
                rig.checksum(bo)?,
                rgt::checksum::of_fill(1, MIB / 4),
            )
        })
    })?;
    // It goes on where it was.
    let more = auto.sleeps_on("QUERY", || Ok(rig.device.busy(rig.copy)?))?;
    same("later", more > busy, true)
}

/// What the shrinker takes while the GPU sleeps is in no page table when it wakes.
fn what_is_purged_is_out_of_reach() -> Outcome {
    let rig = Rig::new()?;
    let bo = numbered(&rig, 2, 7)?;
    let range = rig.vm.map(&bo)?;
    let see = || seen_at(&rig, &[], range.addr(), 2);
    same("before", see()?, vec![Some(7), Some(8)])?;

    let auto = Auto::after(&rig.device, SHORT)?;
    same("it is there", bo.dont_need()?, true)?;
    auto.falls_asleep()?;
    auto.sleeps_on("the shrinker", shrink_all)?;
    same("after the sleep", see()?, vec![None, None])?;
    same("it is still there", bo.will_need()?, false)
}

/// Nobody but the clock knows what it shows.
fn its_clock_wakes_it() -> Outcome {
    let rig = Rig::new()?;
    let auto = Auto::after(&rig.device, SHORT)?;
    let mut last = 0;

    for _ in 0..3 {
        auto.falls_asleep()?;
        let now = auto.wakes("TIMESTAMP", || Ok(rig.device.timestamp()?))?;
        same("it goes on", now.ticks > last, true)?;
        last = now.ticks;
    }
    Ok(())
}

/// What needs no GPU yet.
fn what_is_made_leaves_it_asleep() -> Outcome {
    let rig = Rig::new()?;
    let auto = Auto::after(&rig.device, SHORT)?;
    auto.falls_asleep()?;

    let (bo, page) = auto.sleeps_on("new ones", || {
        Context::create(&rig.device, Priority::Normal)?;
        Vm::create(&rig.device)?;
        let page = rig.gtt(PAGE)?;
        page.map()?.write(0, 7);
        Ok((rig.visible(MIB)?, page))
    })?;
    // The GPU clears it.
    auto.wakes("the first touch of VRAM", || {
        same("a new BO", bo.map()?.read(MIB as usize - 4), 0)
    })?;
    auto.wakes("a job", || {
        let target = rig.gtt(PAGE)?;
        rig.copy(&page, &target)?;
        same("the copy", target.map()?.read(0), 7)
    })?;
    auto.sleeps_on("the CPU's mappings", || {
        same("a page", page.map()?.read(0), 7)?;
        same("a BO that was in VRAM", bo.map()?.read(0), 0)
    })
}

/// Memory that does not come keeps them from their end, and the GPU from nothing.
fn calls_that_wait_for_memory() -> Outcome {
    const LEN: usize = PAGE as usize;
    let rig = Rig::new()?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let (late, entries) = (Late::new(LEN)?, Late::new(LEN)?);
    let range = rig.vm.reserve(LEN as u64)?;
    let op = late.area().op(range.addr());
    let auto = Auto::after(&rig.device, SHORT)?;

    late.while_awaited(|| rig.vm.bind(&[op]), || auto.falls_asleep())??;
    submit(&rig)?;
    late.give_up()?;
    late.while_awaited(|| submit(&rig), || auto.falls_asleep())??;
    // They are all zeros.
    let array = drm_rgt_array {
        stride: 64,
        count: 1,
        address: entries.area().as_ptr().addr() as u64,
    };
    let bind = drm_rgt_vm_bind {
        vm_id: rig.vm.id(),
        ops: array,
        ..Default::default()
    };
    let ibs = drm_rgt_cs {
        vm_id: rig.vm.id(),
        ctx_id: context.id(),
        engine: rig.copy.id,
        ibs: array,
        ..Default::default()
    };
    let bos = drm_rgt_cs {
        ibs: drm_rgt_array::default(),
        bos: array,
        ..ibs
    };
    let sleeps = || auto.falls_asleep();
    let bound = entries.while_awaited(|| raw(&rig.device, bind).map(drop), sleeps)?;
    fails("VM_BIND", Errno::INVAL, bound)?;
    for (what, errno, job) in [
        ("CS of late buffers", Errno::INVAL, ibs),
        ("CS of late BOs", Errno::NOENT, bos),
    ] {
        entries.give_up()?;
        let done = entries.while_awaited(|| raw(&rig.device, job).map(drop), sleeps)?;
        fails(what, errno, done)?;
    }
    Ok(())
}
