// SPDX-License-Identifier: GPL-2.0

//! Counts of moves, by their reason.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use rgt::{Bo, Placement, RegionKind};

use super::files::Debugfs;
use super::tracefs::Recording;
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    a_first_use_and_a_fault,
    evictions_and_returns,
    engines_count_jobs,
];

/// Moves and bytes for each reason.
type Moved = BTreeMap<String, (u64, u64)>;

fn moved(debugfs: &Debugfs) -> Result<Moved> {
    debugfs
        .lines("moved")?
        .iter()
        .map(|line| {
            let reason = line.text("reason")?.to_owned();
            Ok((reason, (line.number("moves")?, line.number("bytes")?)))
        })
        .collect()
}

/// Returns the counts that were added since, without those of 0.
fn since(debugfs: &Debugfs, before: &Moved) -> Result<Moved> {
    let mut now = moved(debugfs)?;
    for (reason, (moves, bytes)) in &mut now {
        let (old_moves, old_bytes) = before.get(reason).context("a new reason")?;
        *moves -= old_moves;
        *bytes -= old_bytes;
    }
    now.retain(|_, counted| *counted != (0, 0));
    Ok(now)
}

fn a_first_use_and_a_fault() -> Outcome {
    let rig = Rig::new()?;
    let debugfs = Debugfs::of(&rig.device)?;
    let vram = rig.device.region(RegionKind::Vram)?.context("VRAM")?;
    let filler_size = vram.cpu_visible_size;
    let bo = rig.bo(3 * MIB, |bo| bo.placement(Placement::VRAM))?;
    let filler = rig.bo(filler_size, |bo| bo.placement(Placement::VRAM))?;

    // The filler takes at least as much as the CPU sees, before or behind the BO.
    let before = moved(&debugfs)?;
    rig.fill(&filler, 1)?;
    rig.fill(&bo, 2)?;
    let first = since(&debugfs, &before)?;
    let (_, bytes) = *first.get("first").context("nothing was cleared")?;
    same("cleared bytes", bytes, filler.size() + bo.size())?;
    same("reasons", first.len(), 1)?;

    let before = moved(&debugfs)?;
    let map = bo.map()?;
    same("what the CPU sees", map.read(0), 2)?;
    let mapped = since(&debugfs, &before)?;
    match mapped.get("fault") {
        Some((moves, bytes)) => same("a fault's move", (*moves, *bytes), (1, bo.size())),
        // It was in the window by itself.
        None => same("moves", mapped.len(), 0),
    }
}

/// Every BO of 5/4 of VRAM is used in turn, twice.
fn evictions_and_returns() -> Outcome {
    const SIZE: u64 = 16 * MIB;
    let rig = Rig::new()?;
    let debugfs = Debugfs::of(&rig.device)?;
    let vram = rig.device.region(RegionKind::Vram)?.context("VRAM")?.size;
    let bos: Vec<Bo> = (0..vram / 4 * 5 / SIZE)
        .map(|_| rig.bo(SIZE, |bo| bo.placement(Placement::VRAM)))
        .collect::<Result<_>>()?;

    let before = moved(&debugfs)?;
    let recording = Recording::start("observe-moves")?;
    for bo in &bos {
        rig.fill(bo, 1)?;
    }
    let evicted = debugfs
        .lines("bos")?
        .iter()
        .filter(|line| {
            line.number("size").is_ok_and(|size| size == SIZE)
                && line.number("evicted").is_ok_and(|evicted| evicted == 1)
        })
        .count();
    ensure!(evicted > 0, "no BO is known as evicted");
    for bo in &bos {
        rig.fill(bo, 2)?;
    }
    let counted = since(&debugfs, &before)?;

    let (_, first) = *counted.get("first").context("nothing was cleared")?;
    let (evictions, out) = *counted.get("evict").context("nothing was evicted")?;
    let (returns, back) = *counted.get("back").context("nothing came back")?;
    same("cleared", first, SIZE * bos.len() as u64)?;
    same("evicted", out, SIZE * evictions)?;
    same("come back", back, SIZE * returns)?;
    ensure!(returns <= evictions, "{returns} of {evictions} came back");
    ensure!(
        evictions - returns >= bos.len() as u64 - vram / SIZE,
        "{evictions} evicted, {returns} came back: more than VRAM holds"
    );

    // The events tell the same.
    let mut traced = Moved::new();
    let mut cleared = 0;
    let events = recording.stop()?;
    for event in events.iter().filter(|event| event.name == "bo_move") {
        let reason = event.text("reason")?.to_owned();
        let (bytes, fence) = (event.number("bytes")?, event.number("context")? != 0);
        // VRAM that is known to be zero from before is not cleared.
        match reason.as_str() {
            "first" => cleared += u64::from(fence),
            _ => same("a fence", fence, bytes != 0)?,
        }
        let (moves, sum) = traced.entry(reason).or_default();
        *moves += 1;
        *sum += bytes;
    }
    // The last ones get VRAM that others had.
    ensure!(cleared > 0, "no first move had anything to clear");
    same("moves in the trace", traced, counted)?;
    let begun = events
        .iter()
        .filter(|event| event.name == "bo_evict")
        .count() as u64;
    ensure!(
        begun >= evictions,
        "{begun} evictions begun, {evictions} done"
    );
    Ok(())
}

fn engines_count_jobs() -> Outcome {
    let rig = Rig::new()?;
    let debugfs = Debugfs::of(&rig.device)?;
    let bo = rig.gtt(PAGE)?;
    let engine = rig.render.id.to_string();
    let before = debugfs.line("engines", "engine", &engine)?;
    for _ in 0..3 {
        let mut work = rig.work(rig.render)?;
        let to = work.writes(&bo)?;
        work.commands.fill(to, PAGE, 1)?;
        work.run()?;
    }
    let after = debugfs.line("engines", "engine", &engine)?;
    same("done", after.number("done")? - before.number("done")?, 3)?;
    same("pending", after.number("pending")?, 0)?;
    ensure!(
        after.number("busy_ns")? > before.number("busy_ns")?,
        "three jobs took no device time"
    );
    same("class", after.text("class")?, "render")
}
