// SPDX-License-Identifier: GPL-2.0

//! Two GPUs that share BOs: VRAM where the machine lets them access each other, or else pages.

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use rgt::{Bo, BoFlags, Device, Placement};
use rustix::io::Errno;

use super::importer::an_importer_dies_at_each_step;
use crate::expect::{fails, same};
use crate::harness::{Need, Outcome, Suite, Tag, Test, tests};
use crate::peer::{DmaBuf, Vgem};
use crate::rig::{HIDDEN, MIB, Pressure, Rig, noise};
use crate::suites::reset::reset_function;
use crate::suites::runtime_pm::{Auto, SHORT};

pub(crate) const P2P: Suite = Suite {
    name: "dmabuf-peers",
    needs: &[Need::PeerAccess],
    tags: &[Tag::Dmabuf],
    tests: &[
        COMMON,
        tests![
            vram_stays_where_it_is,
            hidden_vram_is_shown,
            bound_is_resident_at_the_other_gpu,
            a_move_waits_for_the_other_gpus_job,
            vram_is_reached_after_a_reset,
        ],
    ],
};

pub(crate) const NO_P2P: Suite = Suite {
    name: "dmabuf-no-p2p",
    needs: &[Need::TwoGpus, Need::NoPeerAccess],
    tags: &[Tag::Dmabuf],
    tests: &[COMMON, tests![vram_goes_to_pages, hidden_vram_is_refused]],
};

const COMMON: &[Test] = tests![
    one_reads_what_the_other_wrote,
    one_writes_what_the_other_reads,
    a_job_waits_for_the_other_gpu,
    a_mapping_is_rebound_after_a_move,
    they_share_in_a_circle,
    both_are_overcommitted,
    either_sleeps,
    an_importer_dies_at_each_step,
];

/// The GPUs, in the order of their slots.
pub(super) fn all() -> Result<Vec<Rig>> {
    Device::list()?
        .into_iter()
        .map(|path| Rig::on(&Device::open_path(path)?))
        .collect()
}

/// The first two GPUs.
pub(super) fn both() -> Result<[Rig; 2]> {
    let mut rigs = all()?;
    let count = rigs.len();
    rigs.truncate(2);
    rigs.try_into()
        .map_err(|_| anyhow!("expected two GPUs, found {count}"))
}

/// A BO of one GPU as the other one's.
pub(super) fn share(bo: &Bo, other: &Rig) -> Result<Bo> {
    Ok(Bo::import(&other.device, bo.export()?)?)
}

/// The checksum of a BO of 1 MiB that is filled with a pattern.
pub(super) fn sum_of(pattern: u32) -> u64 {
    rgt::checksum::of_fill(pattern, MIB / 4)
}

/// The bus resets the GPU that has the VRAM: the other one reaches it where it was.
fn vram_is_reached_after_a_reset() -> Outcome {
    let [one, other] = both()?;
    for pattern in [0x11, 0x22] {
        let bo = one.vram(MIB)?;
        one.fill(&bo, pattern)?;
        let theirs = share(&bo, &other)?;
        same("sum", other.checksum(&theirs)?, sum_of(pattern))?;
        same("its place", bo.info()?.current_placement, Placement::VRAM)?;
        reset_function(&one.device)?;
    }
    Ok(())
}

fn one_reads_what_the_other_wrote() -> Outcome {
    let [one, other] = both()?;
    for (from, to) in [(&one, &other), (&other, &one)] {
        let bo = from.bo(4 * MIB, |bo| bo)?;
        from.fill(&bo, 0x1357_9bdf)?;
        let theirs = share(&bo, to)?;
        let sum = rgt::checksum::of_fill(0x1357_9bdf, MIB);
        same("sum by the other", to.checksum(&theirs)?, sum)?;
        let own = to.vram(4 * MIB)?;
        to.copy(&theirs, &own)?;
        same("sum of a copy", to.checksum(&own)?, sum)?;
    }
    Ok(())
}

/// The GPU that has the BO, the other one, or both, when a job of the latter uses it.
fn either_sleeps() -> Outcome {
    let [one, other] = both()?;
    let bo = one.bo(MIB, |bo| bo)?;
    one.fill(&bo, 0x33)?;
    let theirs = share(&bo, &other)?;
    same("sum", other.checksum(&theirs)?, sum_of(0x33))?;

    for (pattern, sleepers) in (0x34..).zip([[true, false], [false, true], [true, true]]) {
        let autos = [&one, &other]
            .into_iter()
            .zip(sleepers)
            .filter(|(_, sleeps)| *sleeps)
            .map(|(rig, _)| Auto::after(&rig.device, SHORT))
            .collect::<Result<Vec<_>>>()?;
        autos.iter().try_for_each(Auto::falls_asleep)?;
        other.fill(&theirs, pattern)?;
        autos.iter().try_for_each(Auto::falls_asleep)?;
        same("sum by one", one.checksum(&bo)?, sum_of(pattern))?;
        autos.iter().try_for_each(Auto::falls_asleep)?;
        same(
            "sum by the other",
            other.checksum(&theirs)?,
            sum_of(pattern),
        )?;
    }

    let pages = one.gtt(MIB)?;
    one.fill(&pages, 0x44)?;
    let theirs = share(&pages, &other)?;
    let auto = Auto::after(&one.device, SHORT)?;
    auto.falls_asleep()?;
    let sum = auto.sleeps_on("use of its pages", || other.checksum(&theirs))?;
    same("sum of pages", sum, sum_of(0x44))
}

fn one_writes_what_the_other_reads() -> Outcome {
    let [one, other] = both()?;
    let words = noise(3, MIB as usize / 4);
    let bo = one.bo(MIB, |bo| bo)?;
    one.fill(&bo, 0)?;
    let theirs = share(&bo, &other)?;
    let source = other.gtt(MIB)?;
    source.map()?.write_slice(0, &words);
    other.copy(&source, &theirs)?;
    let sum = rgt::checksum::of_dwords(&words);
    same("sum", one.checksum(&bo)?, sum)?;
    let buf: DmaBuf = bo.export()?.into();
    same("by the CPU", buf.map()?.checksum(0..MIB as usize), sum)
}

fn a_job_waits_for_the_other_gpu() -> Outcome {
    let [one, other] = both()?;
    let bo = one.bo(MIB, |bo| bo)?;
    one.fill(&bo, 0)?;
    let theirs = share(&bo, &other)?;
    other.checksum(&theirs)?;
    let busy = one.busy(one.copy, Duration::from_millis(300), |work| {
        let to = work.writes(&bo)?;
        work.commands.fill(to, MIB, 0x66)?;
        Ok(())
    })?;
    let sum = other.checksum(&theirs)?;
    ensure!(!busy.runs()?, "it did not wait");
    same("sum", sum, sum_of(0x66))
}

fn a_mapping_is_rebound_after_a_move() -> Outcome {
    let [one, other] = both()?;
    let bo = Bo::builder(MIB).create(&one.device)?;
    let theirs = share(&bo, &other)?;
    for round in 1..4 {
        one.fill(&bo, round)?;
        let sum = sum_of(round);
        same("sum", other.checksum(&theirs)?, sum)?;
        let pressure = Pressure::on(&one.device)?;
        pressure.round()?;
        same("sum after an eviction", other.checksum(&theirs)?, sum)?;
        other.fill(&theirs, !round)?;
        let sum = sum_of(!round);
        same("sum of the way back", one.checksum(&bo)?, sum)?;
    }
    Ok(())
}

fn they_share_in_a_circle() -> Outcome {
    let [one, other] = both()?;
    let (mine, yours) = (one.bo(MIB, |bo| bo)?, other.bo(MIB, |bo| bo)?);
    let (lent, borrowed) = (share(&mine, &other)?, share(&yours, &one)?);
    one.fill(&mine, 1)?;
    for _ in 0..8 {
        one.copy(&mine, &borrowed)?;
        other.copy(&yours, &lent)?;
        let sum = sum_of(1);
        same("sum", one.checksum(&mine)?, sum)?;
    }
    // Imported by its exporter, it is the same BO.
    let home = Bo::import(&one.device, lent.export()?)?;
    same("handle", home.handle(), mine.handle())
}

fn both_are_overcommitted() -> Outcome {
    let rigs = both()?;
    let bos = rigs
        .iter()
        .map(|rig| rig.bo(2 * MIB, |bo| bo))
        .collect::<Result<Vec<_>>>()?;
    let lent = [share(&bos[0], &rigs[1])?, share(&bos[1], &rigs[0])?];
    let work = |rig: &Rig, own: &Bo, theirs: &Bo| -> Outcome {
        let pressure = Pressure::on(&rig.device)?;
        for _ in 0..3 {
            rig.fill(own, 5)?;
            rig.checksum(theirs)?;
            pressure.round()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads = [
            scope.spawn(|| work(&rigs[0], &bos[0], &lent[1])),
            scope.spawn(|| work(&rigs[1], &bos[1], &lent[0])),
        ];
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(anyhow!("a thread panicked")))
        })
    })?;
    let sum = rgt::checksum::of_fill(5, MIB / 2);
    for (rig, bo) in rigs.iter().zip(&bos) {
        same("sum", rig.checksum(bo)?, sum)?;
    }
    Ok(())
}

fn vram_stays_where_it_is() -> Outcome {
    let [one, other] = both()?;
    let bo = one.bo(MIB, |bo| bo.flags(BoFlags::CPU_ACCESS))?;
    one.fill(&bo, 1)?;
    let theirs = share(&bo, &other)?;
    let sum = sum_of(1);
    same("sum", other.checksum(&theirs)?, sum)?;
    same("place", bo.info()?.current_placement, Placement::VRAM)?;
    one.fill(&bo, 2)?;
    same("place", bo.info()?.current_placement, Placement::VRAM)
}

fn hidden_vram_is_shown() -> Outcome {
    let [one, other] = both()?;
    let bo = one.bo(MIB, HIDDEN)?;
    one.fill(&bo, 3)?;
    let theirs = share(&bo, &other)?;
    let sum = sum_of(3);
    same("sum", other.checksum(&theirs)?, sum)
}

fn bound_is_resident_at_the_other_gpu() -> Outcome {
    let [one, other] = both()?;
    let vgem = Vgem::open()?;
    let bo = one.bo(MIB, |bo| bo)?;
    one.fill(&bo, 4)?;
    let theirs = share(&bo, &other)?;
    let result = other.gtt(8)?;
    let mut work = other.work(other.copy)?;
    let (from, to) = (work.reads(&theirs)?, work.writes(&result)?);
    work.commands.checksum(from, MIB, to)?;
    work.submit()?;
    work.wait()?;
    let sum = sum_of(4);
    same("sum", result.map()?.read_u64(0), sum)?;

    // For one who does not reach VRAM, the next job takes it from there.
    let buf: DmaBuf = bo.export()?.into();
    let _at_vgem = vgem.import(&buf)?;
    one.checksum(&bo)?;
    same("place", bo.info()?.current_placement, Placement::GTT)?;
    result.map()?.fill(0..8, 0);
    // The import has lost its pages. It is still bound, so a job that does not name it finds it.
    let mut late = other.work(other.copy)?;
    let to = late.writes(&result)?;
    late.commands.checksum(from, MIB, to)?;
    late.run()?;
    same("sum after the move", result.map()?.read_u64(0), sum)
}

fn a_move_waits_for_the_other_gpus_job() -> Outcome {
    let [one, other] = both()?;
    let vgem = Vgem::open()?;
    let bo = one.bo(MIB, |bo| bo)?;
    one.fill(&bo, 5)?;
    let theirs = share(&bo, &other)?;
    let result = other.gtt(8)?;
    let reader = other.held(other.copy, |work| {
        let (from, to) = (work.reads(&theirs)?, work.writes(&result)?);
        work.commands.checksum(from, MIB, to)?;
        Ok(())
    })?;
    let buf: DmaBuf = bo.export()?.into();
    let _at_vgem = vgem.import(&buf)?;
    thread::scope(|scope| {
        let mover = scope.spawn(|| one.checksum(&bo));
        thread::sleep(Duration::from_millis(300));
        ensure!(!mover.is_finished(), "it moved while a job was to use it");
        reader.finish()?;
        mover.join().map_err(|_| anyhow!("a thread panicked"))?
    })?;
    same("place", bo.info()?.current_placement, Placement::GTT)?;
    let sum = sum_of(5);
    same("sum", result.map()?.read_u64(0), sum)
}

fn vram_goes_to_pages() -> Outcome {
    let [one, other] = both()?;
    let bo = one.bo(MIB, |bo| bo)?;
    one.fill(&bo, 1)?;
    same("place", bo.info()?.current_placement, Placement::VRAM)?;
    let theirs = share(&bo, &other)?;
    other.checksum(&theirs)?;
    same("place", bo.info()?.current_placement, Placement::GTT)?;
    // It does not go to and fro.
    one.fill(&bo, 2)?;
    same("place", bo.info()?.current_placement, Placement::GTT)?;
    drop(theirs);
    Ok(())
}

fn hidden_vram_is_refused() -> Outcome {
    let [one, other] = both()?;
    let bo = one.bo(MIB, HIDDEN)?;
    let fd = bo.export()?;
    fails("import", Errno::OPNOTSUPP, Bo::import(&other.device, fd))
}
