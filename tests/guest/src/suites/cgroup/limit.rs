// SPDX-License-Identifier: GPL-2.0

//! A group has no more VRAM than it may.

use anyhow::ensure;
use rustix::io::Errno;

use super::group::Group;
use super::{VRAM_ONLY, VRAM_OR_GTT, bos, chunk, fill, in_vram, vram_size};
use crate::expect::{fails, of_library, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::Rig;

pub(super) const TESTS: &[Test] = tests![
    rest_is_in_gtt,
    own_ones_go,
    larger_than_the_limit,
    lower_limit_takes_effect_at_once,
];

fn rest_is_in_gtt() -> Outcome {
    let rig = Rig::new()?;
    let max = vram_size(&rig)? / 4;
    let group = Group::new("max")?;
    group.limit(max)?;
    let all = bos(&rig, 2 * max, VRAM_OR_GTT)?;
    for _ in 0..2 {
        group.run(|| fill(&rig, &all))?;
        same("VRAM charged", group.current()?, max)?;
        same("VRAM of the BOs", in_vram(&all)?, max)?;
    }
    Ok(())
}

/// A BO that must be in VRAM replaces one of its own group, though there is room.
fn own_ones_go() -> Outcome {
    let rig = Rig::new()?;
    let max = vram_size(&rig)? / 4;
    let (group, other) = (Group::new("max")?, Group::new("other")?);
    group.limit(max)?;
    let foreign = bos(&rig, max, VRAM_OR_GTT)?;
    other.run(|| fill(&rig, &foreign))?;

    let all = bos(&rig, 2 * max, VRAM_ONLY)?;
    for _ in 0..2 {
        group.run(|| fill(&rig, &all))?;
        ensure!(group.current()? <= max, "{} charged", group.current()?);
    }
    same("VRAM of the others", in_vram(&foreign)?, max)
}

fn larger_than_the_limit() -> Outcome {
    let rig = Rig::new()?;
    let group = Group::new("max")?;
    let chunk = chunk(&rig)?;
    group.limit(chunk)?;
    let (large, small) = (rig.bo(2 * chunk, VRAM_ONLY)?, rig.bo(chunk, VRAM_ONLY)?);
    group.run(|| {
        // Where it is bound it would be resident.
        let bind = rig.work(rig.copy)?.writes(&large);
        fails("VM_BIND", Errno::NOSPC, of_library(bind))?;
        rig.fill(&small, 1)
    })
}

fn lower_limit_takes_effect_at_once() -> Outcome {
    let rig = Rig::new()?;
    let size = vram_size(&rig)?;
    let group = Group::new("max")?;
    let all = bos(&rig, size / 2, VRAM_OR_GTT)?;
    let mut sums = Vec::new();
    group.run(|| fill(&rig, &all))?;
    for bo in &all {
        sums.push(rig.checksum(bo)?);
    }
    same("VRAM charged", group.current()?, size / 2)?;
    group.limit(size / 8)?;
    ensure!(group.current()? <= size / 8, "{} charged", group.current()?);
    for (bo, sum) in all.iter().zip(sums) {
        same("sum", group.run(|| rig.checksum(bo))?, sum)?;
    }
    ensure!(group.current()? <= size / 8, "{} charged", group.current()?);
    Ok(())
}
