// SPDX-License-Identifier: GPL-2.0

//! BOs that are private to a VM count as used by its jobs, which do not name them: they stay in VRAM
//! when others have to go, and come back to it.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use rgt::{Binding, Bo, Placement};

use super::{SMALL, VRAM_ONLY, VRAM_OR_GTT, bos, bytes_in_vram, percent, writing};
use crate::expect::same;
use crate::harness::{Outcome, Test, say, tests};
use crate::rig::{Make, PAGE, Rig, noise};

pub(super) const TESTS: &[Test] = tests![
    busy_ones_stay,
    forced_ones_stay,
    come_back_to_free_room,
    come_back_in_place_of_idle_ones,
];

/// The jobs after which they are back.
const A_FEW: u32 = 12;

/// Time in which as much can come back as is saved of the rate.
const PACE: Duration = Duration::from_millis(70);

/// A client whose BOs are private to its VM, and bound once and for all.
struct Busy {
    rig: Rig,
    bos: Vec<Bo>,
    bindings: Vec<Binding>,
    /// The content of the first BO. Each has that of the one before from the second page on.
    noise: Vec<u32>,
}

impl Busy {
    fn new(share: u64, make: Make) -> Result<Self> {
        let rig = Rig::new()?;
        let bos = (0..percent(&rig, share)? / SMALL)
            .map(|_| {
                Ok(make(Bo::builder(SMALL))
                    .private(&rig.vm)
                    .create(&rig.device)?)
            })
            .collect::<Result<Vec<_>>>()?;
        let bindings = bos
            .iter()
            .map(|bo| rig.vm.map(bo))
            .collect::<rgt::Result<Vec<_>>>()?;
        let noise = noise(7, ((SMALL + bos.len() as u64 * PAGE) / 4) as usize);
        let busy = Self {
            rig,
            bos,
            bindings,
            noise,
        };
        busy.fill()?;
        Ok(busy)
    }

    /// Gives each BO its content.
    fn fill(&self) -> Outcome {
        let source = self.rig.gtt(self.noise.len() as u64 * 4)?;
        source.map()?.write_slice(0, &self.noise);
        let mut work = self.rig.work_of(self.rig.copy, 16 + 8 * self.bos.len())?;
        let from = work.reads(&source)?;
        for (number, binding) in (0..).zip(&self.bindings) {
            work.commands
                .copy(from + number * PAGE, binding.addr(), SMALL)?;
        }
        work.run()
    }

    /// Each byte is as it was.
    fn check(&self) -> Outcome {
        let target = self.rig.gtt(SMALL)?;
        let map = target.map()?;
        let mut found = vec![0; (SMALL / 4) as usize];
        for (number, binding) in self.bindings.iter().enumerate() {
            let mut work = self.rig.work(self.rig.copy)?;
            let to = work.writes(&target)?;
            work.commands.copy(binding.addr(), to, SMALL)?;
            work.run()?;
            map.read_slice(0, &mut found);
            let expected = &self.noise[number * (PAGE / 4) as usize..][..found.len()];
            let wrong = found
                .iter()
                .zip(expected)
                .position(|(one, other)| one != other);
            same(&format!("first wrong dword of BO {number}"), wrong, None)?;
        }
        Ok(())
    }

    /// Runs a job that names nothing.
    fn run(&self) -> Outcome {
        let mut work = self.rig.work(self.rig.copy)?;
        work.commands.nop()?;
        work.run()
    }

    fn size(&self) -> u64 {
        self.bos.len() as u64 * SMALL
    }

    fn in_vram(&self) -> Result<u64> {
        bytes_in_vram(&self.bos)
    }

    /// Has a newcomer, which needs so many percent of VRAM, evict BOs of others and none of its own.
    fn stays(&self, others: &[Bo], share: u64) -> Outcome {
        let before = bytes_in_vram(others)?;
        let _new = idle(share, VRAM_ONLY)?;
        let (left, all) = (self.in_vram()?, self.size());
        ensure!(
            left == all,
            "{left} of {all} bytes are left of the busy client"
        );
        ensure!(bytes_in_vram(others)? < before, "nothing was evicted");
        self.check()
    }

    /// Runs jobs until all is in VRAM.
    fn come_back(&self) -> Outcome {
        for job in 1..=A_FEW {
            thread::sleep(PACE);
            self.run()?;
            if self.in_vram()? == self.size() {
                say(&format!("back after {job} jobs"));
                return Ok(());
            }
        }
        let (back, all) = (self.in_vram()?, self.size());
        anyhow::bail!("{back} of {all} bytes are back after {A_FEW} jobs")
    }
}

/// Another client, which has used so many percent of VRAM once.
fn idle(share: u64, make: Make) -> Result<(Rig, Vec<Bo>)> {
    let rig = Rig::new()?;
    let bos = bos(&rig, percent(&rig, share)?, make)?;
    writing(&rig, &bos, 1)?.run()?;
    Ok((rig, bos))
}

/// They are older than those of an idle client, and used since.
fn busy_ones_stay() -> Outcome {
    let busy = Busy::new(40, VRAM_OR_GTT)?;
    let (_rig, others) = idle(40, VRAM_OR_GTT)?;
    ensure!(busy.in_vram()? == busy.size(), "there is room for all");
    busy.run()?;
    busy.stays(&others, 40)
}

/// They took the place of others, and were the first to go at that time.
fn forced_ones_stay() -> Outcome {
    let (_rig, others) = idle(95, VRAM_OR_GTT)?;
    let busy = Busy::new(30, VRAM_ONLY)?;
    // No more, or the others would be so old that a newcomer prefers them all the same.
    for _ in 0..3 {
        busy.run()?;
    }
    busy.stays(&others, 30)
}

fn come_back_to_free_room() -> Outcome {
    let busy = Busy::new(40, VRAM_OR_GTT)?;
    let peak = idle(92, VRAM_ONLY)?;
    // It is no more than an idle one that wants to come back.
    busy.run()?;
    let left = busy.in_vram()?;
    ensure!(
        left <= busy.size() / 4,
        "{left} bytes are in what was filled"
    );
    drop(peak);
    busy.come_back()?;
    busy.check()
}

/// In the same way as those do that are named.
fn come_back_in_place_of_idle_ones() -> Outcome {
    let (_rig, others) = idle(92, VRAM_OR_GTT)?;
    let busy = Busy::new(40, VRAM_OR_GTT)?;
    let left = busy.in_vram()?;
    ensure!(
        left <= busy.size() / 2,
        "{left} bytes are in what was filled"
    );
    busy.come_back()?;
    for bo in &others {
        ensure!(
            !bo.info()?.current_placement.contains(Placement::SYSTEM),
            "an idle one is not where jobs reach it"
        );
    }
    busy.check()
}
