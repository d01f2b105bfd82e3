// SPDX-License-Identifier: GPL-2.0

//! BOs that were purged.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rgt::{Bo, Placement, RegionKind};

use crate::expect::{each, same};
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::rig::{HIDDEN, MIB, Make, PAGE, Rig, SHARED, SYSTEM, shrink_all};

pub(super) const TESTS: &[Test] = tests![
    pages_go_to_the_shrinker,
    what_is_needed_stays,
    vram_goes_without_a_move,
    private_to_a_vm,
    closed_without_asking,
];

const SIZE: u64 = MIB;
/// How long purging a BO may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kinds of BOs that are in pages.
fn in_pages() -> impl Iterator<Item = (&'static str, Make)> {
    let gtt = SHARED
        .into_iter()
        .filter(|(name, _)| name.contains("d GTT"));
    gtt.chain([("system", SYSTEM)])
}

/// Content that is not zero, and not of the GPU: it does not see all of them.
fn dirty(bo: &Bo) -> Result<()> {
    let map = bo.map()?;
    for at in (0..map.len()).step_by(PAGE as usize) {
        map.write(at, 0xdada_dada);
    }
    Ok(())
}

/// Has the shrinker purge a BO, which jobs may keep busy for a moment that unbind what others used.
fn purge(bo: &Bo) -> Outcome {
    let start = Instant::now();
    loop {
        shrink_all()?;
        if bo.info()?.current_placement == Placement::empty() {
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, "it was not purged");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Uses a BO of which this is the first time that the loss is told.
fn is_new(rig: &Rig, bo: &Bo) -> Outcome {
    same("do not need, meanwhile", bo.dont_need()?, false)?;
    same("will need", bo.will_need()?, false)?;
    same("will need, again", bo.will_need()?, true)?;
    let map = bo.map()?;
    same("sum", map.checksum(0..map.len()), 0)?;
    dirty(bo)?;
    same("a word written", map.read(PAGE as usize), 0xdada_dada)?;
    if bo.info()?.placement != Placement::SYSTEM {
        rig.fill(bo, 8)?;
        same("a word by the GPU", map.read(PAGE as usize + 4), 8)?;
    }
    Ok(())
}

fn pages_go_to_the_shrinker() -> Outcome {
    let rig = Rig::new()?;
    each(in_pages(), |make| {
        let bo = rig.bo(SIZE, make)?;
        dirty(&bo)?;
        let map = bo.map()?;
        map.write(0, 1);
        if bo.info()?.placement != Placement::SYSTEM {
            rig.fill(&bo, 2)?;
        }
        bo.dont_need()?;
        purge(&bo)?;
        let read = in_child(|| map.read(0) as u8)?;
        same("a read", read, End::Signal(libc::SIGBUS))?;
        is_new(&rig, &bo)
    })
}

fn what_is_needed_stays() -> Outcome {
    let rig = Rig::new()?;
    each(in_pages(), |make| {
        let (needed, not) = (rig.bo(SIZE, make)?, rig.bo(SIZE, make)?);
        dirty(&needed)?;
        dirty(&not)?;
        let sum = needed.map()?.checksum(0..SIZE as usize);
        not.dont_need()?;
        shrink_all()?;
        same("retained", needed.will_need()?, true)?;
        same("sum", needed.map()?.checksum(0..SIZE as usize), sum)?;
        same("the other's", not.will_need()?, false)
    })
}

/// One that loses its VRAM to others goes to no other place.
fn vram_goes_without_a_move() -> Outcome {
    const CHUNK: u64 = 16 * MIB;
    let rig = Rig::new()?;
    let vram = rig
        .device
        .region(RegionKind::Vram)?
        .context("there is VRAM")?;
    let make: Make = |bo| bo.placement(Placement::VRAM | Placement::GTT);
    for make in [make, HIDDEN] {
        let bo = rig.bo(CHUNK, make)?;
        rig.fill(&bo, 0xbad)?;
        same("place", bo.info()?.current_placement, Placement::VRAM)?;
        bo.dont_need()?;
        let others = (0..vram.size / CHUNK)
            .map(|_| rig.bo(CHUNK, |bo| bo.placement(Placement::VRAM)))
            .collect::<Result<Vec<_>>>()?;
        for _ in 0..2 {
            for other in &others {
                rig.fill(other, 1)?;
            }
        }
        same("place", bo.info()?.current_placement, Placement::SYSTEM)?;
        drop(others);
        same("retained", bo.will_need()?, false)?;
        same("sum", rig.checksum(&bo)?, 0)?;
        rig.fill(&bo, 9)?;
        let copy = rig.gtt(CHUNK)?;
        rig.copy(&bo, &copy)?;
        same("a word of a copy", copy.map()?.read(PAGE as usize), 9)?;
    }
    Ok(())
}

/// A job of its VM may go on without it; one that uses it faults.
fn private_to_a_vm() -> Outcome {
    let rig = Rig::new()?;
    let bo = Bo::builder(SIZE)
        .placement(Placement::GTT)
        .private(&rig.vm)
        .create(&rig.device)?;
    let at = rig.vm.map(&bo)?;
    let target = rig.gtt(PAGE)?;
    let run = |value: u32| -> Result<u32> {
        target.map()?.write(0, 0);
        let mut work = rig.work(rig.copy)?;
        let to = work.writes(&target)?;
        work.commands
            .fill(at.addr(), SIZE, value)?
            .copy(at.addr(), to, 4)?;
        work.run()?;
        Ok(target.map()?.read(0))
    };
    same("while it is needed", run(1)?, 1)?;
    bo.dont_need()?;
    rig.fill(&target, 7)?;
    same("a job that does not use it", target.map()?.read(0), 7)?;
    purge(&bo)?;
    rig.fill(&target, 8)?;
    same("the same when it was purged", target.map()?.read(0), 8)?;
    same("a job that uses it", run(2)?, 0)?;
    same("retained", bo.will_need()?, false)?;
    same("while it is needed again", run(3)?, 3)
}

/// Closing them is all right in every state.
fn closed_without_asking() -> Outcome {
    let rig = Rig::new()?;
    for purged in [false, true] {
        each(in_pages(), |make| {
            let bo = rig.bo(SIZE, make)?;
            let map = bo.map()?;
            dirty(&bo)?;
            bo.dont_need()?;
            if purged {
                shrink_all()?;
            }
            drop(bo);
            let read = in_child(|| map.read(0) as u8)?;
            same("a read", read, End::Signal(libc::SIGBUS))
        })?;
    }
    Ok(())
}
