// SPDX-License-Identifier: GPL-2.0

//! New memory never shows stale data. A process, the owner, fills memory of all kinds with its
//! pattern and frees it; others take memory and search that for the pattern.

mod owner;
mod search;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::harness::{Helper, Length, Need, Outcome, Suite, Tag, Used, tests};
use crate::rig::Rig;

pub(super) use owner::{churn, fill};

pub(super) const SUITE: Suite = Suite {
    name: "stale-data",
    needs: &[Need::SmallVram],
    tags: &[Tag::Memory, Tag::Long],
    tests: &[tests![
        after_it_freed_all,
        after_it_died,
        while_it_allocates_and_frees
    ]],
};

/// The helper that fills all memory that it can get.
pub(super) const FILLER: &str = "fill";
/// The helper that takes and frees memory without an end.
pub(super) const CHURNER: &str = "churn";

/// The owner's pattern. Its low half differs from word to word.
const PATTERN: u32 = 0x9a77_0000;
const PATIENCE: Duration = Duration::from_secs(400);

/// Returns whether a word is stale data of the owner's.
fn is_stale(word: u32) -> bool {
    word & 0xffff_0000 == PATTERN
}

fn after_it_freed_all() -> Outcome {
    let before = Used::now()?;
    Helper::start(FILLER, &["end".to_owned()])?.finish(PATIENCE)?;
    before.wait_until_back()?;
    search::everywhere(&Rig::new()?)
}

/// Killed with its jobs still running, so that the kernel takes its memory while it is written.
fn after_it_died() -> Outcome {
    let before = Used::now()?;
    let owner = Helper::start(FILLER, &["stay".to_owned()])?;
    owner::wait_until_filled(PATIENCE)?;
    owner.kill()?;
    // At once, and again when all is back.
    let rig = Rig::new()?;
    search::everywhere(&rig)?;
    drop(rig);
    before.wait_until_back()?;
    search::everywhere(&Rig::new()?)
}

fn while_it_allocates_and_frees() -> Outcome {
    let before = Used::now()?;
    let owners = (1..3)
        .map(|seed: u32| Helper::start(CHURNER, &[seed.to_string()]))
        .collect::<Result<Vec<_>>>()?;
    thread::sleep(Duration::from_secs(1));
    let end = Instant::now() + Length::choose(Duration::from_secs(10), Duration::from_secs(900));
    let rig = Rig::new()?;
    let mut round = 0;
    while Instant::now() < end {
        search::a_few(&rig, round)?;
        round += 1;
    }
    drop(rig);
    owners.into_iter().try_for_each(Helper::kill)?;
    before.wait_until_back()
}
