// SPDX-License-Identifier: GPL-2.0

//! Two GPUs in one machine: each has what is its own, and both work at once.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use rgt::{Bo, Device, Placement, Region, RegionKind};

use crate::expect::{fails, same};
use crate::harness::{Need, Outcome, Suite, Tag, tests};
use crate::rig::{HIDDEN, MIB, PAGE, Pressure, Rig};

pub(super) const SUITE: Suite = Suite {
    name: "gpus",
    needs: &[Need::TwoGpus],
    tags: &[Tag::Memory],
    tests: &[tests![
        each_has_its_own_memory,
        handles_are_not_shared,
        filling_one_leaves_the_other_alone,
        one_does_not_wait_for_the_other,
        both_are_overcommitted_at_once,
    ]],
};

/// The two GPUs, the larger one first.
fn both() -> Result<[Device; 2]> {
    let mut devices = Device::list()?
        .into_iter()
        .map(|path| {
            let device = Device::open_path(path)?;
            Ok((vram(&device)?.size, device))
        })
        .collect::<Result<Vec<_>>>()?;
    devices.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let devices: Vec<_> = devices.into_iter().map(|(_, device)| device).collect();
    let count = devices.len();
    devices
        .try_into()
        .map_err(|_| anyhow!("expected two GPUs, found {count}"))
}

fn vram(device: &Device) -> Result<Region> {
    device.region(RegionKind::Vram)?.context("there is VRAM")
}

fn each_has_its_own_memory() -> Outcome {
    let [large, small] = both()?;
    let before = (vram(&large)?, vram(&small)?);
    ensure!(
        before.0.size > before.1.size,
        "both have {} bytes of VRAM",
        before.0.size
    );
    let rig = Rig::on(&large)?;
    let bo = rig.bo(4 * MIB, HIDDEN)?;
    rig.fill(&bo, 1)?;
    let (used, other) = (vram(&large)?.used, vram(&small)?.used);
    ensure!(used >= before.0.used + 4 * MIB, "used: {used}");
    same("used of the other", other, before.1.used)
}

fn handles_are_not_shared() -> Outcome {
    let [large, small] = both()?;
    let bo = Rig::on(&large)?.vram(PAGE)?;
    let mut request = rgt::uapi::drm_rgt_gem_info {
        handle: bo.handle(),
        ..Default::default()
    };
    fails(
        "GEM_INFO by the other",
        rustix::io::Errno::NOENT,
        small.call(&mut request),
    )
}

/// BOs of half of VRAM, each filled with its number.
fn half(rig: &Rig) -> Result<Vec<Bo>> {
    const CHUNK: u64 = 8 * MIB;
    let count = vram(&rig.device)?.size / 2 / CHUNK;
    (0..count)
        .map(|number| {
            let bo = rig.bo(CHUNK, |bo| bo.placement(Placement::VRAM | Placement::GTT))?;
            rig.fill(&bo, number as u32)?;
            Ok(bo)
        })
        .collect()
}

/// The BOs still hold their numbers.
fn check(bos: &[Bo]) -> Outcome {
    for (number, bo) in bos.iter().enumerate() {
        let map = bo.map()?;
        let words = (map.read(0), map.read(map.len() - 4));
        same("first and last word", words, (number as u32, number as u32))?;
    }
    Ok(())
}

fn filling_one_leaves_the_other_alone() -> Outcome {
    let [large, small] = both()?;
    for (one, other) in [(&large, &small), (&small, &large)] {
        let rig = Rig::on(other)?;
        let bos = half(&rig)?;
        let used = vram(other)?.used;
        let pressure = Pressure::on(one)?;
        pressure.round()?;
        pressure.round()?;
        same("used of the other", vram(other)?.used, used)?;
        for bo in &bos {
            let place = bo.info()?.current_placement;
            same("place in the other", place, Placement::VRAM)?;
        }
        check(&bos)?;
    }
    Ok(())
}

fn one_does_not_wait_for_the_other() -> Outcome {
    let [large, small] = both()?;
    let (one, other) = (Rig::on(&large)?, Rig::on(&small)?);
    let bo = other.gtt(PAGE)?;
    other.fill(&bo, 1)?;
    // The machine may hold the test up for as long as the busy job takes, but not each time.
    for _ in 0..5 {
        let busy = one.busy(one.copy, Duration::from_secs(4), |_| Ok(()))?;
        other.fill(&bo, 2)?;
        let runs = busy.runs()?;
        busy.wait()?;
        if runs {
            return Ok(());
        }
    }
    bail!("each job of the other took as long as the busy one")
}

fn both_are_overcommitted_at_once() -> Outcome {
    let devices = both()?;
    thread::scope(|scope| {
        let work = |device: Device| {
            let rig = Rig::on(&device)?;
            let bos = half(&rig)?;
            let pressure = Pressure::on(&device)?;
            pressure.round()?;
            pressure.round()?;
            for (number, bo) in bos.iter().enumerate() {
                let sum = rgt::checksum::of_fill(number as u32, bo.size() / 4);
                same("sum", rig.checksum(bo)?, sum)?;
            }
            check(&bos)
        };
        let threads = devices.map(|device| scope.spawn(move || work(device)));
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("a thread panicked")))
        })
    })
}
