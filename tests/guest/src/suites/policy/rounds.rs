// SPDX-License-Identifier: GPL-2.0

//! BOs that are used again and again.

use anyhow::{Result, ensure};
use rgt::Placement;

use super::watch::{Watched, capacity};
use crate::harness::{Outcome, Test, say, tests};
use crate::rig::{Make, Rig};

pub(super) const TESTS: &[Test] = tests![
    little_too_much_vram_only,
    little_too_much_vram_or_gtt,
    what_fits_stays_vram_only,
    what_fits_stays_vram_or_gtt,
    new_set_takes_over_vram_only,
    new_set_takes_over_vram_or_gtt,
    stream_leaves_others_alone,
];

pub(super) const VRAM_ONLY: Make = |bo| bo.placement(Placement::VRAM);
pub(super) const VRAM_OR_GTT: Make = |bo| bo.placement(Placement::VRAM | Placement::GTT);

const ROUNDS: usize = 6;

/// Chunks moved by rounds over 110 % of VRAM, and by LRU: all of them, in and out, every round
/// after the first.
fn cyclic(make: Make) -> Result<(u64, u64)> {
    let rig = Rig::new()?;
    let count = (capacity(&rig)? * 11).div_ceil(10);
    let mut set = Watched::new(&rig, count, make)?;
    for _ in 0..ROUNDS {
        set.round()?;
    }
    let moves = (set.take_moves()?, (count * 2 * (ROUNDS - 1)) as u64);
    say(&format!("chunks moved: {}, by LRU: {}", moves.0, moves.1));
    Ok(moves)
}

fn little_too_much_vram_only() -> Outcome {
    let (moves, lru) = cyclic(VRAM_ONLY)?;
    ensure!(moves <= lru / 4, "{moves} chunks moved, {lru} by LRU");
    Ok(())
}

fn little_too_much_vram_or_gtt() -> Outcome {
    let (moves, lru) = cyclic(VRAM_OR_GTT)?;
    ensure!(moves <= lru / 20, "{moves} chunks moved, {lru} by LRU");
    Ok(())
}

fn what_fits_stays(make: Make) -> Outcome {
    let rig = Rig::new()?;
    let mut set = Watched::new(&rig, capacity(&rig)? * 9 / 10, make)?;
    for _ in 0..ROUNDS {
        set.round()?;
    }
    let moves = set.take_moves()?;
    ensure!(moves == 0, "{moves} chunks moved that fit");
    Ok(())
}

fn what_fits_stays_vram_only() -> Outcome {
    what_fits_stays(VRAM_ONLY)
}

fn what_fits_stays_vram_or_gtt() -> Outcome {
    what_fits_stays(VRAM_OR_GTT)
}

/// BOs that are no longer used make room for those that are used now.
fn new_set_takes_over(make: Make) -> Outcome {
    let rig = Rig::new()?;
    let count = capacity(&rig)? * 9 / 10;
    let mut old = Watched::new(&rig, count, make)?;
    for _ in 0..2 {
        old.round()?;
    }
    ensure!(old.resident()? == count, "what fits is not in VRAM");

    let mut new = Watched::new(&rig, count, make)?;
    for _ in 0..3 {
        new.slow_round()?;
    }
    let resident = new.resident()?;
    ensure!(resident == count, "{resident} of {count} are in VRAM");
    let (out, came) = (old.take_moves()?, new.take_moves()?);
    say(&format!(
        "chunks of the old set moved: {out}, of the new: {came}"
    ));
    new.round()?;
    let moves = new.take_moves()?;
    ensure!(moves == 0, "{moves} chunks moved after three rounds");
    Ok(())
}

fn new_set_takes_over_vram_only() -> Outcome {
    new_set_takes_over(VRAM_ONLY)
}

fn new_set_takes_over_vram_or_gtt() -> Outcome {
    new_set_takes_over(VRAM_OR_GTT)
}

/// BOs that are used once do not cost those their place that are used in every frame.
fn stream_leaves_others_alone() -> Outcome {
    let rig = Rig::new()?;
    let count = capacity(&rig)? * 3 / 4;
    let mut set = Watched::new(&rig, count, VRAM_OR_GTT)?;
    for _ in 0..2 {
        set.round()?;
    }
    let (mut moves, lru) = (Vec::new(), (2 * count * ROUNDS) as u64);
    for _ in 0..ROUNDS {
        let mut stream = Watched::new(&rig, count / 2, VRAM_OR_GTT)?;
        stream.slow_round()?;
        set.slow_round()?;
        moves.push(set.take_moves()?);
    }
    say(&format!("chunks moved: {moves:?}, by LRU: {lru}"));
    let moves: u64 = moves.iter().sum();
    ensure!(moves <= lru / 4, "{moves} chunks moved, {lru} by LRU");
    Ok(())
}
