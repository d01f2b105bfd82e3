// SPDX-License-Identifier: GPL-2.0

//! Room is found when there is room.

mod memory;
mod own;
mod private;
mod protect;
mod turns;

use anyhow::{Context, Result};
use rgt::{Bo, Placement, Region, RegionKind};
use rustix::io::Errno;

use crate::expect::{fails, of_library, same};
use crate::harness::{Need, Outcome, Suite, Tag};
use crate::rig::{MIB, Make, Rig, Work};

pub(super) use protect::{HOG, hog};
pub(super) use turns::{SUBMITTER, submit};

pub(super) const SUITE: Suite = Suite {
    name: "room",
    needs: &[Need::SmallVram],
    tags: &[Tag::Memory],
    tests: &[own::TESTS, turns::TESTS, private::TESTS, protect::TESTS],
};

/// For a GPU with more than a little memory.
pub(super) const IN_MEMORY: Suite = Suite {
    name: "room-in-memory",
    needs: &[],
    tags: &[Tag::Memory],
    tests: &[memory::TESTS],
};

/// The size of a small BO.
const SMALL: u64 = 2 * MIB;

const VRAM_ONLY: Make = |bo| bo.placement(Placement::VRAM);
pub(super) const VRAM_OR_GTT: Make = |bo| bo.placement(Placement::VRAM | Placement::GTT);

pub(super) fn vram(rig: &Rig) -> Result<Region> {
    rig.device
        .region(RegionKind::Vram)?
        .context("there is VRAM")
}

/// So many percent of VRAM, in whole small BOs.
pub(super) fn percent(rig: &Rig, percent: u64) -> Result<u64> {
    Ok(vram(rig)?.size * percent / 100 / SMALL * SMALL)
}

/// Small BOs of this much together.
pub(super) fn bos(rig: &Rig, bytes: u64, make: Make) -> Result<Vec<Bo>> {
    (0..bytes / SMALL).map(|_| rig.bo(SMALL, make)).collect()
}

/// A job that writes a number into the first word of each of some BOs, the next number into that of
/// the next one.
pub(super) fn writing<'a>(
    rig: &Rig,
    bos: impl IntoIterator<Item = &'a Bo>,
    first: u32,
) -> Result<Work> {
    let bos: Vec<_> = bos.into_iter().collect();
    let mut work = rig.work_of(rig.copy, 16 + 8 * bos.len())?;
    for (number, bo) in (first..).zip(bos) {
        let at = work.writes(bo)?;
        work.commands.write(at, &[number])?;
    }
    Ok(work)
}

/// Each BO has its number in the first word.
pub(super) fn check<'a>(rig: &Rig, bos: impl IntoIterator<Item = &'a Bo>, first: u32) -> Outcome {
    let result = rig.gtt(4)?;
    for (number, bo) in (first..).zip(bos) {
        let mut work = rig.work(rig.copy)?;
        let (from, to) = (work.reads(bo)?, work.writes(&result)?);
        work.commands.copy(from, to, 4)?;
        work.run()?;
        same("first word", result.map()?.read(0), number)?;
    }
    Ok(())
}

/// Whether a BO is in VRAM.
fn in_vram(bo: &Bo) -> Result<bool> {
    Ok(bo.info()?.current_placement == Placement::VRAM)
}

/// Bytes of BOs that are in VRAM.
pub(super) fn bytes_in_vram<'a>(bos: impl IntoIterator<Item = &'a Bo>) -> Result<u64> {
    let mut bytes = 0;
    for bo in bos {
        if in_vram(bo)? {
            bytes += bo.size();
        }
    }
    Ok(bytes)
}

/// A job must be refused for want of room.
fn refused(mut work: Work) -> Outcome {
    fails("the job", Errno::NOSPC, of_library(work.submit()))
}
