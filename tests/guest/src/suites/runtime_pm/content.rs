// SPDX-License-Identifier: GPL-2.0

//! What is in VRAM is there again after a sleep, however the GPU is woken.

use anyhow::Context as _;
use rgt::{Bo, Context, Job, Placement, Priority, WaitFor};

use super::auto::{Auto, SHORT};
use crate::expect::{content_is, same};
use crate::harness::{Outcome, Test, tests};
use crate::peer::{Cpu, DmaBuf, Vgem, udmabuf};
use crate::rig::{Kept, MIB, PAGE, PATIENCE, Rig, SHARED, noise};

pub(super) const TESTS: &[Test] = tests![
    to_jobs,
    to_the_cpu,
    to_other_devices,
    of_other_devices,
    new_vram_is_zero,
];

const ROUNDS: u32 = 3;
/// More VRAM than is in use.
const CLEARED: u64 = 16 * MIB;

fn to_jobs() -> Outcome {
    let rig = Rig::new()?;
    let context = Context::create(&rig.device, Priority::Normal)?;
    let kept = Kept::all(&rig)?;
    let hidden = &kept.last().context("there are some")?.bo;
    let generation = rig.device.vram_generation()?;
    let auto = Auto::after(&rig.device, SHORT)?;

    for _ in 0..ROUNDS {
        auto.falls_asleep()?;
        let place = auto.sleeps_on("GEM_INFO", || Ok(hidden.info()?.current_placement))?;
        same("moved away", place == Placement::VRAM, false)?;
        auto.wakes("jobs", || {
            kept.iter().try_for_each(|kept| kept.check(&rig))?;
            same("back", hidden.info()?.current_placement, Placement::VRAM)
        })?;
    }
    same("generation", rig.device.vram_generation()?, generation)?;
    same("the context", context.status()?.cause, None)
}

/// A mapping shows pages while the GPU sleeps, which go back to VRAM with what was written to them.
fn to_the_cpu() -> Outcome {
    let rig = Rig::new()?;
    let mut kept = Kept::new(&rig, SHARED[0].1, 5)?;
    let map = kept.bo.map()?;
    let auto = Auto::after(&rig.device, SHORT)?;

    for round in 0..ROUNDS {
        auto.falls_asleep()?;
        auto.sleeps_on("accesses of the CPU", || {
            content_is("a mapping", &map, &kept.content)?;
            map.write(8, round);
            kept.content[2] = round;
            content_is("a new mapping", &kept.bo.map()?, &kept.content)
        })?;
        auto.wakes("a job", || {
            kept.check(&rig)?;
            same("back", kept.bo.info()?.current_placement, Placement::VRAM)
        })?;
    }
    Ok(())
}

fn to_other_devices() -> Outcome {
    let rig = Rig::new()?;
    let vgem = Vgem::open()?;
    let kept = Kept::new(&rig, SHARED[3].1, 6)?;
    let auto = Auto::after(&rig.device, SHORT)?;

    for round in 0..2 * ROUNDS {
        // While it sleeps, and while it is awake for nobody and the BO is in VRAM.
        if round % 2 == 0 {
            auto.falls_asleep()?;
        }
        let buf: DmaBuf = kept.bo.export()?.into();
        let theirs = vgem.import(&buf)?;
        buf.access(Cpu::Reads, |map| content_is("a buffer", map, &kept.content))??;
        auto.falls_asleep()?;
        content_is("a buffer that is mapped", &buf.map()?, &kept.content)?;
        drop((theirs, buf));
        kept.check(&rig)?;
    }
    Ok(())
}

fn of_other_devices() -> Outcome {
    let rig = Rig::new()?;
    let content = noise(7, MIB as usize / 4);
    let buf = udmabuf(MIB)?;
    buf.map()?.write_slice(0, &content);
    let theirs = Bo::import(&rig.device, &buf)?;
    let own = rig.vram(MIB)?;
    let auto = Auto::after(&rig.device, SHORT)?;

    for _ in 0..ROUNDS {
        auto.falls_asleep()?;
        auto.wakes("a job", || rig.copy(&theirs, &own))?;
        let target = rig.gtt(MIB)?;
        rig.copy(&own, &target)?;
        content_is("a copy", &target.map()?, &content)?;
    }
    Ok(())
}

/// Leaves free VRAM that is known to be zero: the driver has cleared it, and no job or CPU has had it.
fn cleared_and_freed(rig: &Rig) -> Outcome {
    let bo = rig.visible(CLEARED)?;
    Job::new(&rig.vm, rig.copy).read(&bo).submit()?;
    Ok(bo.wait(PATIENCE, WaitFor::All)?)
}

fn new_vram_is_zero() -> Outcome {
    let rig = Rig::new()?;
    let auto = Auto::after(&rig.device, SHORT)?;

    for _ in 0..ROUNDS {
        cleared_and_freed(&rig)?;
        auto.falls_asleep()?;
        let bo = rig.visible(CLEARED)?;
        let fresh = bo.map()?;
        let dirty = (0..CLEARED as usize)
            .step_by(PAGE as usize / 16)
            .position(|at| fresh.read(at) != 0);
        same("the first dirty dword of new VRAM", dirty, None)?;
    }
    Ok(())
}
