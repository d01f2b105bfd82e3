// SPDX-License-Identifier: GPL-2.0

//! Memory that goes, comes and moves while it is bound.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Result, ensure};
use rgt::uapi::DRM_RGT_REGION_GTT;
use rgt::{BindOp, BindQueue, Syncobj};
use rustix::io::Errno;

use super::area::{Area, HUGE};
use super::basic::submit;
use crate::expect::{fails, same};
use crate::harness::{Length, Outcome, SetOnDrop, Test, counted, tests};
use crate::peer::SwFence;
use crate::rig::{Dice, PAGE, Rig, Setting, compact, vmstat};
use crate::suites::observe::values_in_calls;

pub(super) const TESTS: &[Test] = tests![
    gone,
    gone_and_unbound,
    given_up_pages,
    prefetched,
    moved_away,
    moved_for_good,
    shrunk,
    compacted,
    huge_pages_split,
];

const LEN: usize = 64 * PAGE as usize;
const ANONYMOUS: libc::c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

/// Jobs of a VM fail while a part of what is bound is not there, and the process lives on.
pub(super) fn gone() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(1);
    let bound = area.bind(&rig)?;
    same("at first", bound.checksum(&rig)?, area.checksum())?;
    area.punch(8 * PAGE as usize, PAGE as usize)?;
    fails("with a hole", Errno::FAULT, submit(&rig))?;
    fails("again", Errno::FAULT, submit(&rig))?;
    area.replace(8 * PAGE as usize, PAGE as usize, ANONYMOUS, None)?;
    same("with another page", bound.checksum(&rig)?, area.checksum())?;
    same("that is empty", area.read(8 * PAGE as usize), 0)
}

/// What is unbound first may go, also if the unbind waits for its turn.
pub(super) fn gone_and_unbound() -> Outcome {
    let rig = Rig::new()?;
    for _ in 0..20 {
        let area = Area::anonymous(LEN)?;
        area.number(1);
        let bound = area.bind(&rig)?;
        bound.fill(&rig, 2)?;
        drop(bound);
        drop(area);
        submit(&rig)?;
    }
    let area = Area::anonymous(LEN)?;
    let bound = area.bind(&rig)?;
    rig.vm
        .bind(&[BindOp::unmap(bound.addr() + PAGE, LEN as u64 - PAGE)])?;
    area.punch(PAGE as usize, LEN - PAGE as usize)?;
    // The rest is of the same bind.
    fails(
        "a part that was unbound is gone",
        Errno::FAULT,
        submit(&rig),
    )?;
    drop(bound);
    submit(&rig)?;
    Ok(())
}

/// Pages that are given up are others, with nothing in them.
pub(super) fn given_up_pages() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    let bound = area.bind(&rig)?;
    let mut dice = Dice::new(5);
    for round in 0..Length::choose(30, 2000) {
        bound.fill(&rig, round + 1)?;
        same("filled", area.read(LEN - 4), round + 1)?;
        let page = dice.below(60) as usize * PAGE as usize;
        area.advise(page, 4 * PAGE as usize, libc::MADV_DONTNEED)?;
        same("given up", area.read(page), 0)?;
        same("round", bound.checksum(&rig)?, area.checksum())?;
        area.write(page + 8, round);
        same("written", bound.checksum(&rig)?, area.checksum())?;
    }
    Ok(())
}

/// PREFETCH fetches pages and has them mapped before a job comes.
fn prefetched() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    let bound = area.bind(&rig)?;
    bound.idle_job(&rig)?;
    let prefetch = |from: usize| {
        let at = bound.addr() + from as u64;
        BindOp::prefetch(at, (LEN - from) as u64, DRM_RGT_REGION_GTT)
    };
    // One with its buffer, and a rebind before it if that is needed.
    let jobs = || -> Result<usize> {
        let calls = values_in_calls("drm_sched_job_arm", "%di", || bound.idle_job(&rig))?;
        Ok(calls.len())
    };
    let settled = jobs()?;
    for from in [0, LEN - PAGE as usize] {
        area.advise(0, LEN, libc::MADV_DONTNEED)?;
        same("jobs without", jobs()?, settled + 1)?;
        area.advise(0, LEN, libc::MADV_DONTNEED)?;
        same("pages that are given up", area.present()?, 0)?;
        rig.vm.bind(&[prefetch(from), prefetch(0)])?;
        same("pages", area.present()?, LEN / PAGE as usize)?;
        same("jobs with it", jobs()?, settled)?;
        bound.fill(&rig, 7)?;
        let sum = rgt::checksum::of_fill(7, LEN as u64 / 4);
        same("filled", area.checksum(), sum)?;
    }

    // A bind that waits keeps no job from what it has brought in.
    let fence = SwFence::new()?;
    let gate = Syncobj::of_sync_file(&rig.device, fence.file())?;
    let queue = BindQueue::create(&rig.vm)?;
    area.advise(0, LEN, libc::MADV_DONTNEED)?;
    queue.bind(&[prefetch(0)], &[gate.sync()], &[])?;
    bound.fill(&rig, 8)?;
    same("filled", area.read(LEN - 4), 8)?;
    fence.signal()?;

    area.punch(8 * PAGE as usize, PAGE as usize)?;
    fails("gone", Errno::FAULT, rig.vm.bind(&[prefetch(0)]))?;
    rig.vm.bind(&[BindOp::unmap(bound.addr(), LEN as u64)])?;
    rig.vm.bind(&[prefetch(0)])?;
    Ok(())
}

/// Memory that is moved leaves a hole, which is filled with nothing.
pub(super) fn moved_away() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(50);
    let bound = area.bind(&rig)?;
    let before = bound.checksum(&rig)?;
    let elsewhere = area.move_away()?;
    bound.fill(&rig, 9)?;
    same("where it was", area.read(0), 9)?;
    same("where it is", elsewhere.checksum(), before)
}

/// Memory that is moved, and leaves nothing: there is none where it was.
fn moved_for_good() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(50);
    let bound = area.bind(&rig)?;
    let before = bound.checksum(&rig)?;
    let there = area.leave()?;
    fails("where it was", Errno::FAULT, submit(&rig))?;
    drop(bound);
    submit(&rig)?;
    let bound = there.bind(&rig)?;
    same("where it is", bound.checksum(&rig)?, before)?;
    bound.fill(&rig, 9)?;
    same("filled", there.read(LEN - 4), 9)
}

/// Memory that gets shorter, and other memory behind it.
fn shrunk() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    area.number(50);
    let bound = area.bind(&rig)?;
    bound.fill(&rig, 9)?;
    area.shrink(LEN / 2)?;
    fails("behind its end", Errno::FAULT, submit(&rig))?;
    area.replace(LEN / 2, LEN / 2, ANONYMOUS, None)?;
    same("what is left", area.read(LEN / 2 - 4), 9)?;
    same("what is new", area.read(LEN / 2), 0)?;
    same("sum", bound.checksum(&rig)?, area.checksum())
}

/// Nothing is lost while the kernel moves pages from place to place.
fn compacted() -> Outcome {
    while_compacted(Length::choose(5, 250))
}

/// So many rounds of that.
pub(super) fn while_compacted(rounds: u32) -> Outcome {
    const AREAS: u32 = 8;
    let rig = Rig::new()?;
    let areas = (0..AREAS)
        .map(|_| {
            let area = Area::anonymous(LEN)?;
            area.advise(0, LEN, libc::MADV_NOHUGEPAGE)?;
            Ok(area)
        })
        .collect::<Result<Vec<_>>>()?;
    let bound = areas
        .iter()
        .map(|area| area.bind(&rig))
        .collect::<Result<Vec<_>>>()?;
    let fill = |round: u32| -> Outcome {
        for (index, bound) in bound.iter().enumerate() {
            bound.fill(&rig, round * AREAS + index as u32)?;
        }
        for (index, area) in areas.iter().enumerate() {
            let value = round * AREAS + index as u32;
            let sum = rgt::checksum::of_fill(value, LEN as u64 / 4);
            same(
                &format!("round {round}, area {index}"),
                area.checksum(),
                sum,
            )?;
        }
        Ok(())
    };

    let migrated = || vmstat("pgmigrate_success");
    let (mut round, mut moved, before_all) = (0, 0, migrated()?);
    // Which pages move is the kernel's choice.
    while round < rounds || (moved == 0 && round < 10 * rounds) {
        scatter(&areas)?;
        fill(round)?;
        let before = frames(&areas)?;
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let compactor = scope.spawn(|| -> Outcome {
                compact()?;
                while !over.load(Ordering::Relaxed) {
                    compact()?;
                }
                Ok(())
            });
            let until_filled = SetOnDrop(&over);
            let done = fill(round + 1).and_then(|()| fill(round + 2));
            drop(until_filled);
            let compacted = compactor.join().expect("the compactor");
            done.and(compacted)
        })?;
        let places = before.into_iter().zip(frames(&areas)?);
        let has_moved =
            |(from, to): &(Option<u64>, Option<u64>)| from.zip(*to).is_some() && from != to;
        moved += places.filter(has_moved).count();
        round += 1;
    }
    ensure!(moved != 0, "no page has moved in {round} rounds");
    // With little memory, others have gone to swap and come back elsewhere.
    ensure!(migrated()? != before_all, "the kernel has moved no page");
    counted("pages that moved", moved as u64);
    Ok(())
}

/// Gives areas other pages, in places that the kernel moves pages from when it has them moved together.
fn scatter(areas: &[Area]) -> Outcome {
    const OTHERS: usize = 8 << 20;
    let step = PAGE as usize;
    let others = Area::anonymous(OTHERS)?;
    others.advise(0, OTHERS, libc::MADV_NOHUGEPAGE)?;
    for area in areas {
        area.advise(0, LEN, libc::MADV_DONTNEED)?;
    }
    // The pages that were given up are the first to be given out, and where they are they may stay.
    let mut rest = (0..OTHERS).step_by(step);
    let first = (OTHERS - areas.len() * LEN) / step;
    rest.by_ref().take(first).for_each(|at| others.write(at, 1));
    // Those of the areas have others between them, which are free in the end.
    for area in areas {
        for at in (0..LEN).step_by(step) {
            area.write(at, 1);
            if let Some(at) = rest.next() {
                others.write(at, 1);
            }
        }
    }
    Ok(())
}

/// The page frames of areas, where there is a page.
fn frames(areas: &[Area]) -> Result<Vec<Option<u64>>> {
    const PRESENT: u64 = 1 << 63;
    const FRAME: u64 = (1 << 55) - 1;
    let mut frames = Vec::new();
    for area in areas {
        let entries = area.page_map()?.into_iter();
        frames.extend(entries.map(|entry| (entry & PRESENT != 0).then_some(entry & FRAME)));
    }
    Ok(frames)
}

/// Huge pages come together and fall apart.
fn huge_pages_split() -> Outcome {
    // The kernel's own thread leaves them as they are meanwhile.
    let _pace = Setting::change(
        "/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs",
        "3600000",
    )?;
    let rig = Rig::new()?;
    let area = Area::huge(2)?;
    let bound = area.bind(&rig)?;
    same("together", bound.checksum(&rig)?, area.checksum())?;
    same("huge", area.huge_bytes()?, 2 * HUGE)?;
    // A page in the middle of the first goes, and then a right of one in the middle of the other.
    area.advise(HUGE / 2, PAGE as usize, libc::MADV_DONTNEED)?;
    same("given up", bound.checksum(&rig)?, area.checksum())?;
    same("one is huge", area.huge_bytes()?, HUGE)?;
    area.replace(HUGE + HUGE / 2, PAGE as usize, ANONYMOUS, None)?;
    same("replaced", bound.checksum(&rig)?, area.checksum())?;
    same("none is huge", area.huge_bytes()?, 0)?;
    const MADV_COLLAPSE: libc::c_int = 25;
    area.advise(0, HUGE, MADV_COLLAPSE)?;
    same("together again", bound.checksum(&rig)?, area.checksum())?;
    same("one is huge again", area.huge_bytes()?, HUGE)?;
    bound.fill(&rig, 77)?;
    let sum = rgt::checksum::of_fill(77, 2 * HUGE as u64 / 4);
    same("filled", area.checksum(), sum)
}
