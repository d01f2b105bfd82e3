// SPDX-License-Identifier: GPL-2.0

//! The GPU's on-chip memory.

use anyhow::{Context, Result};
use rgt::{Bo, BoFlags, Placement, Region, RegionKind};
use rustix::io::Errno;

use crate::expect::{fails, same};
use crate::harness::{End, Outcome, Suite, Tag, in_child, tests};
use crate::rig::{Make, PAGE, Rig};

pub(super) const SUITE: Suite = Suite {
    name: "scratchpad",
    needs: &[],
    tags: &[Tag::Memory],
    tests: &[tests![
        is_a_region,
        holds_data,
        new_reads_as_zeros,
        copies_to_and_from_all,
        full_spills_into_vram,
        full_makes_room,
        cpu_moves_it_to_pages,
        cpu_does_not_see_it,
        nonsense_is_refused,
    ]],
};

const ONLY: Make = |bo| bo.placement(Placement::SCRATCHPAD);

fn region(rig: &Rig) -> Result<Region> {
    rig.device
        .region(RegionKind::Scratchpad)?
        .context("there is a scratchpad")
}

/// A BO in the scratchpad that the GPU has filled.
fn filled(rig: &Rig, size: u64, make: Make, pattern: u32) -> Result<Bo> {
    let bo = rig.bo(size, make)?;
    rig.fill(&bo, pattern)?;
    Ok(bo)
}

fn place(bo: &Bo) -> Result<Placement> {
    Ok(bo.info()?.current_placement)
}

fn holds(rig: &Rig, bo: &Bo, pattern: u32) -> Outcome {
    let sum = rgt::checksum::of_fill(pattern, bo.size() / 4);
    same("sum", rig.checksum(bo)?, sum)
}

fn is_a_region() -> Outcome {
    let rig = Rig::new()?;
    let before = region(&rig)?;
    same("visible size", before.cpu_visible_size, 0)?;
    let bo = filled(&rig, 4 * PAGE, ONLY, 1)?;
    same("where it is", place(&bo)?, Placement::SCRATCHPAD)?;
    let now = region(&rig)?;
    same("use", now.used - before.used, 4 * PAGE)?;
    same("visible use", now.cpu_visible_used, 0)
}

fn holds_data() -> Outcome {
    let rig = Rig::new()?;
    let size = region(&rig)?.size;
    let halves = [
        filled(&rig, size / 2, ONLY, 0x1111_1111)?,
        filled(&rig, size / 2, ONLY, 0x2222_2222)?,
    ];
    holds(&rig, &halves[0], 0x1111_1111)?;
    holds(&rig, &halves[1], 0x2222_2222)?;
    for half in &halves {
        same("where it is", place(half)?, Placement::SCRATCHPAD)?;
    }
    Ok(())
}

fn new_reads_as_zeros() -> Outcome {
    let rig = Rig::new()?;
    let size = region(&rig)?.size;
    drop(filled(&rig, size, ONLY, 0xdead_beef)?);
    let bo = rig.bo(size, ONLY)?;
    holds(&rig, &bo, 0)?;
    same("where it is", place(&bo)?, Placement::SCRATCHPAD)
}

fn copies_to_and_from_all() -> Outcome {
    const SIZE: u64 = 8 * PAGE;
    let rig = Rig::new()?;
    let pad = filled(&rig, SIZE, ONLY, 0x7777_0001)?;
    for other in [rig.vram(SIZE)?, rig.gtt(SIZE)?] {
        rig.copy(&pad, &other)?;
        holds(&rig, &other, 0x7777_0001)?;
        rig.fill(&other, 0x7777_0002)?;
        rig.copy(&other, &pad)?;
        holds(&rig, &pad, 0x7777_0002)?;
        rig.fill(&pad, 0x7777_0001)?;
    }
    Ok(())
}

/// A BO that may be in VRAM, too, evicts none.
fn full_spills_into_vram() -> Outcome {
    let rig = Rig::new()?;
    let size = region(&rig)?.size;
    let first = filled(&rig, size, ONLY, 1)?;
    let second = filled(
        &rig,
        size,
        |bo| bo.placement(Placement::SCRATCHPAD | Placement::VRAM),
        2,
    )?;
    same("the first", place(&first)?, Placement::SCRATCHPAD)?;
    same("the second", place(&second)?, Placement::VRAM)?;
    holds(&rig, &first, 1)?;
    holds(&rig, &second, 2)?;
    let large = filled(
        &rig,
        2 * size,
        |bo| bo.placement(Placement::SCRATCHPAD | Placement::GTT),
        3,
    )?;
    same("one that never fits", place(&large)?, Placement::GTT)
}

/// BOs that may be nowhere else take turns, and keep their content.
fn full_makes_room() -> Outcome {
    let rig = Rig::new()?;
    let size = region(&rig)?.size;
    let bos = (1..=4)
        .map(|pattern| filled(&rig, size / 2, ONLY, pattern))
        .collect::<Result<Vec<_>>>()?;
    for _ in 0..2 {
        for (pattern, bo) in (1..).zip(&bos) {
            holds(&rig, bo, pattern)?;
            same("where it is", place(bo)?, Placement::SCRATCHPAD)?;
        }
    }
    Ok(())
}

fn cpu_moves_it_to_pages() -> Outcome {
    let rig = Rig::new()?;
    let bo = filled(
        &rig,
        4 * PAGE,
        |bo| bo.placement(Placement::SCRATCHPAD | Placement::GTT),
        0x0bad_cafe,
    )?;
    same("before", place(&bo)?, Placement::SCRATCHPAD)?;
    let map = bo.map()?;
    for offset in (0..map.len()).step_by(4) {
        same("content", map.read(offset), 0x0bad_cafe)?;
    }
    same("after", place(&bo)?, Placement::GTT)?;
    map.write(0, 0x600d_600d);
    let sum = map.checksum(0..map.len());
    same("sum by the GPU", rig.checksum(&bo)?, sum)
}

fn cpu_does_not_see_it() -> Outcome {
    let rig = Rig::new()?;
    let bo = filled(&rig, 4 * PAGE, ONLY, 5)?;
    let map = bo.map()?;
    same(
        "how the touch ends",
        in_child(|| u8::from(map.read(0) != 0))?,
        End::Signal(libc::SIGBUS),
    )?;
    same("where it is", place(&bo)?, Placement::SCRATCHPAD)?;
    holds(&rig, &bo, 5)
}

fn nonsense_is_refused() -> Outcome {
    let rig = Rig::new()?;
    let size = region(&rig)?.size;
    fails(
        "for the CPU",
        Errno::INVAL,
        Bo::builder(PAGE)
            .placement(Placement::SCRATCHPAD)
            .flags(BoFlags::CPU_ACCESS)
            .create(&rig.device),
    )?;
    fails(
        "more than there is",
        Errno::NOSPC,
        Bo::builder(size + PAGE)
            .placement(Placement::SCRATCHPAD)
            .create(&rig.device),
    )
}
