// SPDX-License-Identifier: GPL-2.0

//! Several client processes at once.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rgt::{Bo, checksum};

use crate::expect::same;
use crate::harness::{Helper, Outcome, Suite, Used, tests};
use crate::rig::{Dice, HIDDEN, Make, PAGE, Rig, SHARED, noise};

pub(super) const SUITE: Suite = Suite {
    name: "clients",
    needs: &[],
    tags: &[],
    tests: &[tests![two_at_once, one_is_killed, killed_many_times]],
};

/// The helper that uses memory of all kinds for a while.
pub(super) const WORKER: &str = "work";

/// How much longer than its time a worker may take.
const SLACK: Duration = Duration::from_secs(120);

/// Starts a worker.
pub(super) fn start(seed: u32, time: Duration) -> Result<Helper> {
    Helper::start(WORKER, &[seed.to_string(), time.as_millis().to_string()])
}

/// The worker: arguments are a seed and milliseconds.
pub(super) fn work(arguments: &[&str]) -> Outcome {
    let [seed, millis] = arguments else {
        anyhow::bail!("expected a seed and milliseconds")
    };
    let mut worker = Worker {
        rig: Rig::new()?,
        dice: Dice::new(seed.parse()?),
        held: Vec::new(),
    };
    let end = Instant::now() + Duration::from_millis(millis.parse()?);
    let mut rounds = 0;
    while Instant::now() < end {
        worker.round()?;
        rounds += 1;
    }
    ensure!(rounds > 0, "no time for a single round");
    worker.check_all()
}

/// A BO and the checksum of what is in it.
struct Held {
    bo: Bo,
    sum: u64,
}

struct Worker {
    rig: Rig,
    dice: Dice,
    held: Vec<Held>,
}

impl Worker {
    const MOST: usize = 12;

    fn round(&mut self) -> Outcome {
        match self.dice.below(4) {
            0 | 1 if self.held.len() < Self::MOST => self.add(),
            2 if !self.held.is_empty() => {
                let index = self.pick();
                self.check(index)?;
                self.held.swap_remove(index);
                Ok(())
            }
            _ if self.held.len() >= 2 => self.move_one(),
            _ => self.add(),
        }
    }

    fn pick(&mut self) -> usize {
        self.dice.below(self.held.len() as u32) as usize
    }

    fn make(&mut self) -> Make {
        match self.dice.below(5) as usize {
            index @ 0..4 => SHARED[index].1,
            _ => HIDDEN,
        }
    }

    /// A new BO with noise in it, brought there by way of another one.
    fn add(&mut self) -> Outcome {
        let pages = u64::from(1 + self.dice.below(32));
        let data = noise(self.dice.roll(), (pages * PAGE) as usize / 4);
        let staging = self.rig.gtt(pages * PAGE)?;
        staging.map()?.write_slice(0, &data);
        let make = self.make();
        let bo = self.rig.bo(pages * PAGE, make)?;
        same("sum of a new BO", self.rig.checksum(&bo)?, 0)?;
        self.rig.copy(&staging, &bo)?;
        self.held.push(Held {
            bo,
            sum: checksum::of_dwords(&data),
        });
        Ok(())
    }

    /// Copies one BO's content to a new one that takes its place.
    fn move_one(&mut self) -> Outcome {
        let index = self.pick();
        let make = self.make();
        let bo = self.rig.bo(self.held[index].bo.size(), make)?;
        self.rig.copy(&self.held[index].bo, &bo)?;
        self.held[index].bo = bo;
        self.check(index)
    }

    fn check(&self, index: usize) -> Outcome {
        let held = &self.held[index];
        same(
            "sum of a BO that is held",
            self.rig.checksum(&held.bo)?,
            held.sum,
        )
    }

    fn check_all(&self) -> Outcome {
        (0..self.held.len()).try_for_each(|index| self.check(index))
    }
}

fn two_at_once() -> Outcome {
    let time = Duration::from_secs(5);
    let before = Used::now()?;
    let (one, other) = (start(1, time)?, start(2, time)?);
    one.finish(time + SLACK).context("the first")?;
    other.finish(time + SLACK).context("the second")?;
    before.wait_until_back()
}

fn one_is_killed() -> Outcome {
    let time = Duration::from_secs(5);
    let before = Used::now()?;
    // The one to be killed must not have ended by then.
    let (one, other) = (start(3, 12 * time)?, start(4, time)?);
    thread::sleep(time / 2);
    one.kill()?;
    other.finish(time + SLACK).context("the one that goes on")?;
    before.wait_until_back()
}

fn killed_many_times() -> Outcome {
    let before = Used::now()?;
    let mut dice = Dice::new(9);
    for seed in 10..15 {
        let helper = start(seed, Duration::from_secs(60))?;
        thread::sleep(Duration::from_millis(100 + u64::from(dice.below(700))));
        helper.kill()?;
    }
    before.wait_until_back()?;
    let rig = Rig::new()?;
    let bo = rig.vram(PAGE)?;
    rig.fill(&bo, 1)?;
    same("content", bo.map()?.read(0), 1)
}
