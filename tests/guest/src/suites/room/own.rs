// SPDX-License-Identifier: GPL-2.0

//! Of a job's own BOs, those that may be elsewhere make room for those that may not.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rgt::{Bo, BoFlags, Placement};

use super::{
    SMALL, VRAM_ONLY, VRAM_OR_GTT, bos, bytes_in_vram, check, in_vram, percent, refused, vram,
    writing,
};
use crate::harness::{Outcome, Test, skip, tests};
use crate::rig::{MIB, Make, PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    any_order_of_two_large_ones,
    many_small_ones,
    no_more_than_needed,
    hole_for_a_contiguous_one,
    the_window_is_for_those_that_need_it,
    too_much_changes_nothing,
];

/// How long a job may take that is refused without waiting for anything.
const AT_ONCE: Duration = Duration::from_secs(6);

/// Whether the BO that may be in GTT was used before, and whether it is named first.
fn any_order_of_two_large_ones() -> Outcome {
    for used in [true, false] {
        for flexible_first in [true, false] {
            let rig = Rig::new()?;
            let size = percent(&rig, 62)?;
            let (may, must) = (rig.bo(size, VRAM_OR_GTT)?, rig.bo(size, VRAM_ONLY)?);
            if used {
                writing(&rig, [&may], 7)?.run()?;
                ensure!(in_vram(&may)?, "an empty VRAM has room");
            }
            let both = match flexible_first {
                true => [&may, &must],
                false => [&must, &may],
            };
            for round in 0..2 {
                writing(&rig, both, round)?.run()?;
                ensure!(in_vram(&must)?, "it must be in VRAM");
                check(&rig, both, round)?;
            }
        }
    }
    Ok(())
}

fn many_small_ones() -> Outcome {
    let rig = Rig::new()?;
    let (may, must) = (
        bos(&rig, percent(&rig, 90)?, VRAM_OR_GTT)?,
        bos(&rig, percent(&rig, 50)?, VRAM_ONLY)?,
    );
    writing(&rig, &may, 100)?.run()?;
    writing(&rig, may.iter().chain(&must), 1000)?.run()?;
    check(&rig, may.iter().chain(&must), 1000)
}

/// As many as are in the way go, and the others stay.
fn no_more_than_needed() -> Outcome {
    let rig = Rig::new()?;
    let may = bos(&rig, percent(&rig, 90)?, VRAM_OR_GTT)?;
    let must = rig.bo(percent(&rig, 30)?, VRAM_ONLY)?;
    writing(&rig, &may, 100)?.run()?;
    let before = bytes_in_vram(&may)?;
    writing(&rig, may.iter().chain([&must]), 1000)?.run()?;
    let gone = before - bytes_in_vram(&may)?;
    ensure!(
        gone <= must.size() + 2 * SMALL,
        "{gone} bytes made room for {}",
        must.size()
    );
    check(&rig, may.iter().chain([&must]), 1000)
}

/// The free memory is in pieces between BOs of the job, none of which may be outside VRAM.
fn hole_for_a_contiguous_one() -> Outcome {
    const CONTIGUOUS: Make = |bo| bo.placement(Placement::VRAM).flags(BoFlags::CONTIGUOUS);
    let rig = Rig::new()?;
    let piece = (vram(&rig)?.size / 64).max(MIB);
    let mut kept = Vec::new();
    let mut holes = Vec::new();
    // What else is in VRAM leaves room for fewer.
    for number in 0..60 {
        let bo = rig.bo(piece, CONTIGUOUS)?;
        writing(&rig, [&bo], 100 + number / 2)?.run()?;
        match number % 2 {
            0 => kept.push(bo),
            _ => holes.push(bo),
        }
    }
    drop(holes);
    let large = rig.bo(16 * piece, CONTIGUOUS)?;
    check(&rig, &kept, 100)?;
    writing(&rig, kept.iter().chain([&large]), 1000)?.run()?;
    ensure!(in_vram(&large)?, "it must be in VRAM");
    check(&rig, kept.iter().chain([&large]), 1000)
}

/// BOs of the job fill the window of the CPU, and may be anywhere in VRAM.
fn the_window_is_for_those_that_need_it() -> Outcome {
    const VISIBLE: Make = |bo| bo.placement(Placement::VRAM).flags(BoFlags::CPU_ACCESS);
    let rig = Rig::new()?;
    let region = vram(&rig)?;
    if region.cpu_visible_size == region.size {
        return skip("the CPU sees all of VRAM");
    }
    let mut inside = Vec::new();
    let mut outside = Vec::new();
    for _ in 0..(region.size - region.used) / SMALL {
        let bo = rig.bo(SMALL, VRAM_ONLY)?;
        let before = vram(&rig)?.cpu_visible_used;
        writing(&rig, [&bo], 5)?.run()?;
        match vram(&rig)?.cpu_visible_used - before {
            0 => outside.push(bo),
            _ => inside.push(bo),
        }
    }
    let filled: u64 = inside.iter().map(Bo::size).sum();
    ensure!(
        filled + 2 * SMALL >= region.cpu_visible_size,
        "only {filled} bytes of the window are in use"
    );
    drop(outside);
    let size = region.cpu_visible_size / 2;
    let visible: Vec<_> = (0..size / MIB)
        .map(|_| rig.bo(MIB, VISIBLE))
        .collect::<Result<_>>()?;
    writing(&rig, inside.iter().chain(&visible), 1000)?.run()?;
    check(&rig, inside.iter().chain(&visible), 1000)
}

/// A job that no order can find room for is refused at once, and its BOs stay where they are.
fn too_much_changes_nothing() -> Outcome {
    let rig = Rig::new()?;
    let (may, must) = (
        bos(&rig, percent(&rig, 40)?, VRAM_OR_GTT)?,
        bos(&rig, percent(&rig, 101)? + 2 * SMALL, VRAM_ONLY)?,
    );
    writing(&rig, &may, 100)?.run()?;
    let work = writing(&rig, may.iter().chain(&must), 1000)?;
    // Binding one BO after the other has moved them.
    let before = bytes_in_vram(&may)?;
    let start = Instant::now();
    refused(work)?;
    let time = start.elapsed();
    ensure!(time < AT_ONCE, "it took {time:?}");
    ensure!(bytes_in_vram(&may)? == before, "BOs of the job were moved");
    // Nor is there room for the last page.
    let all = rig.bo(vram(&rig)?.size - PAGE, VRAM_ONLY)?;
    refused(writing(&rig, may.iter().chain([&all, &must[0]]), 1)?)?;
    check(&rig, &may, 100)
}
