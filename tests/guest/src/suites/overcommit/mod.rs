// SPDX-License-Identifier: GPL-2.0

//! Several processes together use four times what VRAM has room for.

mod content;
mod worker;

use std::time::Duration;

use anyhow::{Context, Result};
use rgt::{Device, RegionKind};

use crate::harness::{Helper, LONG, Length, Need, Outcome, Suite, Tag, Used, say, tests};

pub(super) use worker::work;

pub(super) const SUITE: Suite = Suite {
    name: "overcommit",
    needs: &[Need::SmallVram],
    tags: &[Tag::Memory, Tag::Long],
    tests: &[tests![LONG; four_processes, one_dies]],
};

/// The helper that does it.
pub(super) const WORKER: &str = "overcommit";

const PROCESSES: u32 = 4;
/// How much longer than its time a worker may take: to fill its share, and to check all in the end.
const SLACK: Duration = Duration::from_secs(1500);

/// Starts a worker that uses so many bytes, one of `count` whose BOs in use fit into the window of VRAM
/// together.
pub(super) fn worker(seed: u32, time: Duration, share: u64, count: u32) -> Result<Helper> {
    let arguments = [
        seed.to_string(),
        time.as_millis().to_string(),
        share.to_string(),
        count.to_string(),
    ];
    Helper::start(WORKER, &arguments)
}

/// Starts workers that together overcommit VRAM four times, and GTT a little.
fn start(seed: u32, time: Duration) -> Result<Vec<Helper>> {
    let device = Device::open()?;
    let vram = device
        .region(RegionKind::Vram)?
        .context("there is VRAM")?
        .size;
    (0..PROCESSES)
        .map(|index| {
            worker(
                seed + index,
                time,
                4 * vram / u64::from(PROCESSES),
                PROCESSES,
            )
        })
        .collect()
}

/// The seed of a round: the long form goes on with new ones.
fn seeds(first: u32) -> impl Iterator<Item = u32> {
    (0..Length::choose(1, 20)).map(move |round| first + 100 * round)
}

fn time() -> Duration {
    Length::choose(Duration::from_secs(6), Duration::from_secs(90))
}

fn four_processes() -> Outcome {
    for seed in seeds(1) {
        say(&format!("seeds from {seed} on"));
        let before = Used::now()?;
        for (index, worker) in start(seed, time())?.into_iter().enumerate() {
            worker
                .finish(time() + SLACK)
                .with_context(|| format!("worker {index}"))?;
        }
        before.wait_until_back()?;
    }
    Ok(())
}

/// A process that dies in the middle of its work harms none of the others.
fn one_dies() -> Outcome {
    for seed in seeds(51) {
        say(&format!("seeds from {seed} on"));
        let before = Used::now()?;
        let mut workers = start(seed, time())?;
        let victim = workers.pop().context("there are workers")?;
        std::thread::sleep(time());
        victim.kill()?;
        for (index, worker) in workers.into_iter().enumerate() {
            worker
                .finish(time() + SLACK)
                .with_context(|| format!("worker {index}"))?;
        }
        before.wait_until_back()?;
    }
    Ok(())
}
