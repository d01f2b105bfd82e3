// SPDX-License-Identifier: GPL-2.0

//! VRAM that cgroups share.
//!
//! A BO's memory is charged to the group of the process whose job brought it there, so that one
//! process can be the member of several groups in turn.

pub(super) mod group;
mod limit;
mod protect;

use anyhow::{Context, Result};
use rgt::{Bo, Placement, RegionKind};

use crate::harness::{Suite, Tag};
use crate::rig::{Make, PAGE, Rig};

pub(super) const SUITE: Suite = Suite {
    name: "cgroup",
    needs: &[],
    tags: &[Tag::Memory],
    tests: &[protect::TESTS, limit::TESTS],
};

/// The BOs that are as much as VRAM together.
const CHUNKS: u64 = 16;
const VRAM_ONLY: Make = |bo| bo.placement(Placement::VRAM);
const VRAM_OR_GTT: Make = |bo| bo.placement(Placement::VRAM | Placement::GTT);

/// The size of the BOs that share VRAM.
fn chunk(rig: &Rig) -> Result<u64> {
    let region = rig.device.region(RegionKind::Vram)?;
    Ok(region.context("there is VRAM")?.size / CHUNKS / PAGE * PAGE)
}

/// The size of VRAM, whole chunks.
fn vram_size(rig: &Rig) -> Result<u64> {
    Ok(chunk(rig)? * CHUNKS)
}

/// BOs of this much together.
fn bos(rig: &Rig, bytes: u64, make: Make) -> Result<Vec<Bo>> {
    let chunk = chunk(rig)?;
    (0..bytes / chunk).map(|_| rig.bo(chunk, make)).collect()
}

/// Fills each with a pattern of its own.
fn fill(rig: &Rig, bos: &[Bo]) -> Result<()> {
    (1..)
        .zip(bos)
        .try_for_each(|(pattern, bo)| rig.fill(bo, pattern))
}

/// Bytes of these that are in VRAM.
fn in_vram(bos: &[Bo]) -> Result<u64> {
    let mut bytes = 0;
    for bo in bos {
        if bo.info()?.current_placement == Placement::VRAM {
            bytes += bo.size();
        }
    }
    Ok(bytes)
}
