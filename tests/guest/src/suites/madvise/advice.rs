// SPDX-License-Identifier: GPL-2.0

//! The call's answers, and the use of a BO that is not needed.

use rgt::ioctl::{self, Contained, Request};
use rgt::uapi::*;
use rgt::{Bo, Placement};
use rustix::io::Errno;

use crate::arguments::refused_by;
use crate::expect::{each, fails, of_library, raw, refused_with, same};
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::rig::{HIDDEN, MIB, PAGE, Rig, SHARED, noise, shrink_all, without_pressure};

pub(super) const TESTS: &[Test] = tests![
    bad_arguments,
    answers,
    content_stays_without_pressure,
    jobs_are_refused,
    the_cpu_gets_a_signal,
    shared,
    while_a_job_is_pending,
];

fn bad_arguments() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    rig.fill(&bo, 1)?;
    let good = drm_rgt_gem_madvise {
        handle: bo.handle(),
        advice: DRM_RGT_MADVISE_DONTNEED,
        ..Default::default()
    };
    refused_by(
        &rig.device,
        good,
        &[
            ("advice 2", &|it| it.advice = 2, Errno::INVAL),
            ("advice -1", &|it| it.advice = u32::MAX, Errno::INVAL),
            ("pad", &|it| it.pad = 1, Errno::INVAL),
            ("extensions", &|it| it.extensions = 8, Errno::INVAL),
            ("handle 0", &|it| it.handle = 0, Errno::NOENT),
            ("an unknown handle", &|it| it.handle += 1000, Errno::NOENT),
        ],
        |it| ioctl::call(&rig.device, it),
        // A BO that is not needed cannot be used.
        || rig.fill(&bo, 1),
    )?;
    Ok(())
}

fn answers() -> Outcome {
    let rig = Rig::new()?;
    // The value of `retained` before the call does not matter.
    let request = drm_rgt_gem_madvise {
        handle: rig.gtt(PAGE)?.handle(),
        retained: 77,
        ..Default::default()
    };
    fails("a closed handle", Errno::NOENT, raw(&rig.device, request))?;

    for used in [false, true] {
        let bo = rig.gtt(PAGE)?;
        if used {
            rig.fill(&bo, 3)?;
        }
        for _ in 0..2 {
            same("will need, twice", bo.will_need()?, true)?;
        }
        for _ in 0..2 {
            same("do not need, twice", bo.dont_need()?, true)?;
        }
        same("will need after all", bo.will_need()?, true)?;
        same("content", bo.map()?.read(8), if used { 3 } else { 0 })?;
    }
    Ok(())
}

fn content_stays_without_pressure() -> Outcome {
    let _calm = without_pressure()?;
    let rig = Rig::new()?;
    each(
        SHARED.into_iter().chain([("hidden VRAM", HIDDEN)]),
        |make| {
            let bo = rig.bo(MIB, make)?;
            rig.fill(&bo, 0x1234_5678)?;
            let sum = rig.checksum(&bo)?;
            let place = bo.info()?.current_placement;
            same("do not need", bo.dont_need()?, true)?;
            same("place meanwhile", bo.info()?.current_placement, place)?;
            same("will need", bo.will_need()?, true)?;
            same("sum", rig.checksum(&bo)?, sum)
        },
    )
}

fn jobs_are_refused() -> Outcome {
    let _calm = without_pressure()?;
    let rig = Rig::new()?;
    each(SHARED, |make| {
        let bo = rig.bo(PAGE, make)?;
        rig.fill(&bo, 1)?;
        bo.dont_need()?;
        let mut work = rig.work(rig.copy)?;
        let to = work.writes(&bo)?;
        work.commands.fill(to, PAGE, 2)?;
        fails("a job", Errno::FAULT, of_library(work.submit()))?;
        // Neither the job's VM nor other jobs are affected.
        let other = rig.gtt(PAGE)?;
        rig.fill(&other, 3)?;
        bo.will_need()?;
        same("content", bo.map()?.read(0), 1)?;
        rig.fill(&bo, 4)?;
        same("content after the next job", bo.map()?.read(0), 4)
    })
}

fn the_cpu_gets_a_signal() -> Outcome {
    let _calm = without_pressure()?;
    let rig = Rig::new()?;
    each(SHARED, |make| {
        let bo = rig.bo(2 * PAGE, make)?;
        let map = bo.map()?;
        map.write(0, 5);
        bo.dont_need()?;
        let fresh = bo.map()?;
        for map in [&map, &fresh] {
            let read = in_child(|| map.read(0) as u8)?;
            same("a read", read, End::Signal(libc::SIGBUS))?;
            let write = in_child(|| {
                map.write(PAGE as usize, 1);
                0
            })?;
            same("a write", write, End::Signal(libc::SIGBUS))?;
        }
        bo.will_need()?;
        same("the old mapping", map.read(0), 5)?;
        same("the new mapping", fresh.read(0), 5)
    })
}

/// DRM_IOCTL_PRIME_HANDLE_TO_FD.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct HandleToFd {
    handle: u32,
    flags: u32,
    fd: i32,
}

// SAFETY: It is what DRM defines for this number, of integers only.
unsafe impl Request for HandleToFd {
    const OPCODE: u32 = 0xc00c_642d;
    const NAME: &'static str = "PRIME_HANDLE_TO_FD";
}

// SAFETY: It has no addresses.
unsafe impl Contained for HandleToFd {}

fn export(rig: &Rig, bo: &Bo) -> rgt::Result<HandleToFd> {
    raw(
        &rig.device,
        HandleToFd {
            handle: bo.handle(),
            ..Default::default()
        },
    )
}

fn shared() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    bo.dont_need()?;
    fails("an export", Errno::BUSY, export(&rig, &bo))?;
    bo.will_need()?;

    let fd = export(&rig, &bo)?.fd;
    let request = drm_rgt_gem_madvise {
        handle: bo.handle(),
        advice: DRM_RGT_MADVISE_DONTNEED,
        retained: 77,
        ..Default::default()
    };
    let after = refused_with(&rig.device, Errno::BUSY, request)?;
    same("retained", after.retained, 77)?;
    same("will need", bo.will_need()?, true)?;
    rig.fill(&bo, 6)?;
    shrink_all()?;
    same("content", bo.map()?.read(0), 6)?;
    // SAFETY: The descriptor is ours and used nowhere else.
    drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
    Ok(())
}

/// Content that a job still needs stays until its end.
fn while_a_job_is_pending() -> Outcome {
    let rig = Rig::new()?;
    let (source, target) = (rig.gtt(MIB)?, rig.vram(MIB)?);
    let data = noise(5, MIB as usize / 4);
    source.map()?.write_slice(0, &data);
    let job = rig.held(rig.copy, |work| {
        let (from, to) = (work.reads(&source)?, work.writes(&target)?);
        Ok(work.commands.copy(from, to, MIB).map(drop)?)
    })?;
    source.dont_need()?;
    shrink_all()?;
    job.finish()?;
    same(
        "what it copied",
        rig.checksum(&target)?,
        rgt::checksum::of_dwords(&data),
    )?;
    same("place", source.info()?.current_placement, Placement::GTT)?;
    shrink_all()?;
    same("retained when it is idle", source.will_need()?, false)
}
