// SPDX-License-Identifier: GPL-2.0

//! Faults that move a BO, and mappings of BOs that moved.

use anyhow::{Context, Result, ensure};
use rgt::{Bo, BoFlags, Placement, RegionKind};

use super::{BLOCK, is_touched, touch};
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, Make, Rig};

pub(super) const TESTS: &[Test] = tests![
    into_the_window,
    to_pages_when_the_window_is_full,
    write_after_a_move,
    blocks_follow_a_move
];

const CHUNK: u64 = 4 * MIB;
const VISIBLE: Make = |bo| bo.placement(Placement::VRAM).flags(BoFlags::CPU_ACCESS);

/// BOs of visible VRAM, as many as the window holds and some more, used by the GPU.
fn fill_the_window(rig: &Rig, more: u64) -> Result<Vec<Bo>> {
    let window = rig
        .device
        .region(RegionKind::Vram)?
        .context("there is VRAM")?
        .cpu_visible_size;
    (0..window / CHUNK + more)
        .map(|_| {
            let bo = rig.bo(CHUNK, VISIBLE)?;
            rig.fill(&bo, 3)?;
            Ok(bo)
        })
        .collect()
}

fn into_the_window() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(CHUNK, |bo| {
        bo.placement(Placement::VRAM | Placement::GTT)
            .flags(BoFlags::NO_CPU_ACCESS)
    })?;
    rig.fill(&bo, 0xabcd)?;
    let visible = || -> Result<u64> {
        let region = rig.device.region(RegionKind::Vram)?;
        Ok(region.context("there is VRAM")?.cpu_visible_used)
    };
    let before = visible()?;
    let map = bo.map()?;
    same("content", map.read(4), 0xabcd)?;
    same("visible use", visible()? - before, CHUNK)?;
    same("where it is", bo.info()?.current_placement, Placement::VRAM)?;
    map.write(0, 1);
    same("sum", rig.checksum(&bo)?, map.checksum(0..map.len()))
}

/// No BO is evicted from the window for one that may be in pages.
fn to_pages_when_the_window_is_full() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(CHUNK, |bo| {
        bo.placement(Placement::VRAM | Placement::GTT)
            .flags(BoFlags::NO_CPU_ACCESS)
    })?;
    rig.fill(&bo, 0xabcd)?;
    let others = fill_the_window(&rig, 0)?;
    same("where it is", bo.info()?.current_placement, Placement::VRAM)?;
    let map = bo.map()?;
    same("content", map.read(4), 0xabcd)?;
    same(
        "where it went",
        bo.info()?.current_placement,
        Placement::GTT,
    )?;
    for other in &others {
        same(
            "where the others are",
            other.info()?.current_placement,
            Placement::VRAM,
        )?;
    }
    Ok(())
}

/// A write through a mapping after its BO moved is in the new place.
fn write_after_a_move() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(CHUNK, |bo| {
        bo.placement(Placement::VRAM | Placement::GTT)
            .flags(BoFlags::CPU_ACCESS)
    })?;
    let map = bo.map()?;
    touch(&map);
    same("at first", bo.info()?.current_placement, Placement::VRAM)?;
    let others = fill_the_window(&rig, 1)?;
    let place = bo.info()?.current_placement;
    ensure!(place != Placement::VRAM, "it is still in VRAM");
    ensure!(is_touched(&map), "a page has lost its content");
    for offset in (0..map.len()).step_by(4096) {
        map.write(offset + 8, 0x8000_0000 | offset as u32);
    }
    same("sum", rig.checksum(&bo)?, map.checksum(0..map.len()))?;
    for other in &others {
        let sum = rgt::checksum::of_fill(3, CHUNK / 4);
        same("sum of another", rig.checksum(other)?, sum)?;
    }
    Ok(())
}

/// As above, for a mapping of whole blocks, which must go at once.
fn blocks_follow_a_move() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(4 * BLOCK as u64, |bo| {
        bo.placement(Placement::VRAM)
            .flags(BoFlags::CPU_ACCESS | BoFlags::CONTIGUOUS)
            .alignment(BLOCK as u32)
    })?;
    let map = bo.map()?;
    touch(&map);
    for round in 0..2 {
        drop(fill_the_window(&rig, 1)?);
        ensure!(
            is_touched(&map),
            "round {round}: a page has lost its content"
        );
        touch(&map);
        same("sum", rig.checksum(&bo)?, map.checksum(0..map.len()))?;
    }
    Ok(())
}
