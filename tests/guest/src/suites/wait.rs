// SPDX-License-Identifier: GPL-2.0

//! GEM_WAIT.

use std::time::{Duration, Instant};

use anyhow::ensure;
use rgt::uapi::*;
use rgt::{Bo, Device, Error, WaitFor, deadline_after};
use rustix::io::Errno;

use crate::arguments::{refused, undefined_flags};
use crate::expect::{fails, raw, same};
use crate::harness::{Outcome, Suite, tests};
use crate::rig::{PAGE, PATIENCE, Rig};

pub(super) const SUITE: Suite = Suite {
    name: "wait",
    needs: &[],
    tags: &[],
    tests: &[tests![
        idle_returns_at_once,
        bad_arguments,
        poll_of_a_busy_bo,
        deadline_is_kept,
        waits_for_the_end,
        readers,
        private_bos_wait_for_their_vm,
    ]],
};

/// How long a job takes that is waited for.
const LENGTH: Duration = Duration::from_millis(500);

fn request(bo: &Bo, timeout_ns: i64) -> drm_rgt_gem_wait {
    drm_rgt_gem_wait {
        handle: bo.handle(),
        timeout_ns,
        ..Default::default()
    }
}

fn idle_returns_at_once() -> Outcome {
    let rig = Rig::new()?;
    let unused = rig.gtt(PAGE)?;
    let used = rig.vram(PAGE)?;
    rig.fill(&used, 1)?;
    for bo in [&unused, &used] {
        for timeout_ns in [0, 1, -1, i64::MIN, i64::MAX, deadline_after(PATIENCE)] {
            let start = Instant::now();
            raw(&rig.device, request(bo, timeout_ns))?;
            raw(
                &rig.device,
                drm_rgt_gem_wait {
                    flags: DRM_RGT_GEM_WAIT_READERS,
                    ..request(bo, timeout_ns)
                },
            )?;
            ensure!(start.elapsed() < PATIENCE / 2, "an idle BO kept us waiting");
        }
    }
    Ok(())
}

fn bad_arguments() -> Outcome {
    let device = Device::open()?;
    let bo = Bo::builder(PAGE).create(&device)?;
    let good = request(&bo, 0);
    refused(
        &device,
        good,
        &[
            ("extensions", &|it| it.extensions = 1, Errno::INVAL),
            ("handle 0", &|it| it.handle = 0, Errno::NOENT),
            ("an unknown handle", &|it| it.handle = 99, Errno::NOENT),
        ],
    )?;
    let defined = DRM_RGT_GEM_WAIT_READERS;
    undefined_flags(&device, good, defined, |it, flag| it.flags = flag)
}

fn poll_of_a_busy_bo() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let job = rig.held(rig.copy, |work| work.writes(&bo).map(drop))?;
    for timeout_ns in [0, 1, -1, i64::MIN, deadline_after(Duration::ZERO)] {
        fails(
            "a poll",
            Errno::TIME,
            raw(&rig.device, request(&bo, timeout_ns)),
        )?;
    }
    job.finish()?;
    raw(&rig.device, request(&bo, 0))?;
    Ok(())
}

fn deadline_is_kept() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let job = rig.held(rig.copy, |work| work.writes(&bo).map(drop))?;
    let start = Instant::now();
    let result = bo.wait(Duration::from_millis(200), WaitFor::Writers);
    let took = start.elapsed();
    ensure!(matches!(result, Err(Error::TimedOut)), "{result:?}");
    ensure!(took >= Duration::from_millis(100), "gave up after {took:?}");
    job.finish()
}

fn waits_for_the_end() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    for timeout in [None, Some(PATIENCE)] {
        let map = bo.map()?;
        map.write(0, 0);
        let busy = rig.busy(rig.copy, LENGTH, |work| {
            let to = work.writes(&bo)?;
            work.commands.fill(to, PAGE, 0x00d0_0d1e)?;
            Ok(())
        })?;
        let timeout_ns = timeout.map_or(i64::MAX, deadline_after);
        raw(&rig.device, request(&bo, timeout_ns))?;
        same("what the job wrote", map.read(0), 0x00d0_0d1e)?;
        busy.wait()?;
    }
    Ok(())
}

fn readers() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.gtt(PAGE)?;
    let mut job = rig.held(rig.copy, |work| work.reads(&bo).map(drop))?;
    raw(&rig.device, request(&bo, 0))?;
    let readers = drm_rgt_gem_wait {
        flags: DRM_RGT_GEM_WAIT_READERS,
        ..request(&bo, 0)
    };
    fails("a poll for readers", Errno::TIME, raw(&rig.device, readers))?;
    job.release()?;
    bo.wait(PATIENCE, WaitFor::All)?;
    ensure!(!job.is_pending()?, "returned before the reader was done");
    Ok(())
}

fn private_bos_wait_for_their_vm() -> Outcome {
    let rig = Rig::new()?;
    let bo = Bo::builder(PAGE).private(&rig.vm).create(&rig.device)?;
    let at = rig.vm.map(&bo)?;
    let busy = rig.busy(rig.copy, LENGTH, |work| {
        work.commands.fill(at.addr(), PAGE, 0x0add_5a1d)?;
        Ok(())
    })?;
    bo.wait(PATIENCE, WaitFor::All)?;
    same("what the job wrote", bo.map()?.read(0), 0x0add_5a1d)?;
    busy.wait()
}
