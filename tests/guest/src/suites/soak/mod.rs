// SPDX-License-Identifier: GPL-2.0

//! Everything at once, for as long as it takes.
//!
//! Processes overcommit VRAM, one of them below a limit of its cgroup, and others are killed on the way.
//! Threads bind and unbind, share buffers with other devices, have the GPU use memory of the process, have
//! engines hang, have the kernel compact memory and shrink caches, send the GPU and the system to sleep,
//! and reset the device. All data is compared throughout.

mod loops;
mod rounds;
mod sleeps;

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rgt::{Device, RegionKind};

use super::cgroup::group::Group;
use super::overcommit;
use super::runtime_pm::Auto;
use super::unbind::works;
use crate::harness::{Helper, LONG, Length, Need, Outcome, Suite, Tag, say, tests};
use crate::rig::{Kept, Rig};

use loops::Loops;
use rounds::{Binds, Hangs, Kills, Shares, Uploads, machine};
use sleeps::Sleeps;

pub(super) const SUITE: Suite = Suite {
    name: "soak",
    needs: &[Need::SmallVram, Need::LastOfBoot],
    tags: &[Tag::Long],
    tests: &[tests![LONG; everything_at_once]],
};

/// How much longer than its time a process may take: to fill its share, and to check all in the end.
const SLACK: Duration = Duration::from_secs(1500);
/// The window of VRAM is shared out among so many: there are other clients.
const SHARERS: u32 = 8;
/// How long the GPU is idle before it may sleep.
const DELAY: Duration = Duration::from_millis(5);

/// Processes that overcommit VRAM, and their cgroup.
struct Workers {
    helpers: Vec<Helper>,
    limited: Group,
}

impl Workers {
    /// Each has as much as VRAM, and the last one a quarter of that in VRAM.
    fn start(time: Duration) -> Result<Self> {
        let vram = Device::open()?.region(RegionKind::Vram)?;
        let vram = vram.context("there is VRAM")?.size;
        let limited = Group::new("soak")?;
        limited.limit(vram / 4)?;
        let helpers = vec![
            overcommit::worker(1, time, vram, SHARERS)?,
            overcommit::worker(2, time, vram, SHARERS)?,
            limited.run(|| overcommit::worker(3, time, vram, SHARERS))?,
        ];
        Ok(Self { helpers, limited })
    }

    fn finish(self, time: Duration) -> Outcome {
        for (index, helper) in self.helpers.into_iter().enumerate() {
            helper
                .finish(time + SLACK)
                .with_context(|| format!("process {index}"))?;
        }
        self.limited.wait_until_empty()
    }
}

fn everything_at_once() -> Outcome {
    let short = Duration::from_secs(30);
    let time = Length::time().unwrap_or(Length::choose(short, Duration::from_secs(1800)));
    let rig = Rig::new()?;
    let kept = Kept::all(&rig)?;
    let generation = rig.device.vram_generation()?;
    let auto = Auto::after(&rig.device, DELAY)?;
    let workers = Workers::start(time)?;
    let pids = workers.helpers.iter().map(Helper::pid).collect::<Vec<_>>();

    let loops = &Loops::new(time);
    let (mut binds, mut shares) = (Binds::new()?, Shares::new()?);
    let (mut hangs, mut kills) = (Hangs::new()?, Kills::new());
    let mut uploads = Uploads::new()?;
    let mut sleeps = Sleeps::new(&rig.device, &auto, pids)?;
    thread::scope(|scope| {
        let threads = [
            scope.spawn(|| loops.beside("binds", |round| binds.round(round))),
            scope.spawn(|| loops.beside("shares", |round| shares.round(round))),
            scope.spawn(|| loops.beside("uploads", |round| uploads.round(round))),
            scope.spawn(|| loops.beside("killed processes", |round| kills.round(round))),
            scope.spawn(|| loops.beside("compactions", machine)),
            scope.spawn(|| loops.awake("hangs", |round| hangs.round(round))),
            scope.spawn(|| loops.asleep("sleeps", |round, gate| sleeps.round(round, gate))),
        ];
        let ended = threads.map(|thread| {
            let end = thread.join();
            end.unwrap_or_else(|_| Err(anyhow!("a thread panicked")))
        });
        ended.into_iter().collect::<Outcome>()
    })?;
    workers.finish(time)?;

    for kept in &kept {
        kept.is_seen_by_the_cpu()?;
        kept.check(&rig)?;
    }
    say(&format!("asleep for {} ms", auto.suspended_ms()?));
    // Nothing was in VRAM when the device was reset.
    let lost = rig.device.vram_generation()? - generation;
    ensure!(
        lost <= sleeps.resets,
        "VRAM was lost {lost} times, in {} resets",
        sleeps.resets
    );
    works()
}
