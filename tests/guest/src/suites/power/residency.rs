// SPDX-License-Identifier: GPL-2.0

//! What was in VRAM before a suspend, and may be elsewhere, is in VRAM again when it is used.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rgt::{Bo, Placement};

use super::sleep::Sleep;
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PATIENCE, Rig};
use crate::suites::room::{VRAM_OR_GTT, bos, bytes_in_vram, check, percent, writing};

pub(super) const TESTS: &[Test] = tests![residency_is_what_it_was];

/// Time between two jobs: BOs come back at a limited rate.
const PAUSE: Duration = Duration::from_millis(200);

fn residency_is_what_it_was() -> Outcome {
    let rig = Rig::new()?;
    let shared = bos(&rig, percent(&rig, 40)?, VRAM_OR_GTT)?;
    let private = (0..percent(&rig, 40)? / MIB)
        .map(|_| {
            let bo = VRAM_OR_GTT(Bo::builder(MIB)).private(&rig.vm);
            Ok(bo.create(&rig.device)?)
        })
        .collect::<Result<Vec<_>>>()?;
    let all: Vec<_> = shared.iter().chain(&private).collect();
    let bytes: u64 = all.iter().map(|bo| bo.size()).sum();
    let resident = || bytes_in_vram(all.iter().copied());
    let mut work = writing(&rig, all.iter().copied(), 7)?;
    work.submit()?;
    work.wait()?;
    same("bytes in VRAM before", resident()?, bytes)?;

    for _ in 0..2 {
        Sleep::Devices.enter()?;
        for bo in &all {
            let away = bo.info()?.current_placement != Placement::VRAM;
            ensure!(away, "a BO was in VRAM without power");
        }
        let deadline = Instant::now() + PATIENCE;
        while resident()? != bytes {
            ensure!(
                Instant::now() < deadline,
                "{} of {bytes} bytes are in VRAM",
                resident()?
            );
            thread::sleep(PAUSE);
            work.job.submit()?;
            work.commands.wait(PATIENCE)?;
        }
        check(&rig, all.iter().copied(), 7)?;
    }
    Ok(())
}
