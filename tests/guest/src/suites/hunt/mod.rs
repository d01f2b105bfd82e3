// SPDX-License-Identifier: GPL-2.0

//! Memory that somebody gave back never shows what was in it. One process, the prey, leaves its
//! pattern wherever it can; others look for it in all ways there are.

mod hunter;
mod prey;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::harness::{Helper, Length, Need, Outcome, Suite, Tag, Used, tests};
use crate::rig::Rig;

pub(super) use prey::{flee, settle};

pub(super) const SUITE: Suite = Suite {
    name: "hunt",
    needs: &[Need::SmallVram],
    tags: &[Tag::Memory, Tag::Long],
    tests: &[tests![
        after_it_freed_all,
        after_it_died,
        while_it_comes_and_goes
    ]],
};

/// The helper that takes all it can, and ends.
pub(super) const SETTLER: &str = "settle";
/// The helper that takes and gives back without an end.
pub(super) const RUNNER: &str = "flee";

/// What the prey leaves. Its low half differs from word to word.
const PATTERN: u32 = 0x9a77_0000;
const PATIENCE: Duration = Duration::from_secs(400);

/// Whether a word is of the prey.
fn is_prey(word: u32) -> bool {
    word & 0xffff_0000 == PATTERN
}

fn after_it_freed_all() -> Outcome {
    let before = Used::now()?;
    Helper::start(SETTLER, &["end".to_owned()])?.finish(PATIENCE)?;
    before.wait_until_back()?;
    hunter::everywhere(&Rig::new()?)
}

/// Killed with its jobs still running, so that the kernel takes its memory while it is written.
fn after_it_died() -> Outcome {
    let before = Used::now()?;
    let prey = Helper::start(SETTLER, &["stay".to_owned()])?;
    prey::wait_until_settled(PATIENCE)?;
    prey.kill()?;
    // At once, and again when all is back.
    let rig = Rig::new()?;
    hunter::everywhere(&rig)?;
    drop(rig);
    before.wait_until_back()?;
    hunter::everywhere(&Rig::new()?)
}

fn while_it_comes_and_goes() -> Outcome {
    let before = Used::now()?;
    let runners = (1..3)
        .map(|seed: u32| Helper::start(RUNNER, &[seed.to_string()]))
        .collect::<Result<Vec<_>>>()?;
    thread::sleep(Duration::from_secs(1));
    let end = Instant::now() + Length::choose(Duration::from_secs(10), Duration::from_secs(900));
    let rig = Rig::new()?;
    let mut round = 0;
    while Instant::now() < end {
        hunter::here_and_there(&rig, round)?;
        round += 1;
    }
    drop(rig);
    runners.into_iter().try_for_each(Helper::kill)?;
    before.wait_until_back()
}
