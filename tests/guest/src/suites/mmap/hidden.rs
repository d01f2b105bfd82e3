// SPDX-License-Identifier: GPL-2.0

//! The CPU's access to VRAM that it does not see.

use anyhow::{Result, ensure};
use rgt::{Bo, BoFlags, Placement};

use super::STEP;
use crate::expect::same;
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::rig::{HIDDEN, MIB, Rig};

pub(super) const TESTS: &[Test] = tests![
    hidden_vram,
    hidden_vram_that_may_move,
    unmapped_vram_moves_into_the_window
];

/// Reads a BO that the GPU filled with a pattern through a new mapping, in another process.
fn read_in_child(bo: &Bo, pattern: u32) -> Result<End> {
    let map = bo.map()?;
    in_child(|| {
        let right = (0..map.len())
            .step_by(STEP)
            .all(|offset| map.read(offset) == pattern);
        u8::from(!right)
    })
}

fn hidden_vram() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(MIB, HIDDEN)?;
    rig.fill(&bo, 0xfeed_f00d)?;
    let end = read_in_child(&bo, 0xfeed_f00d)?;
    ensure!(
        end == End::Exit(0) || end == End::Signal(libc::SIGBUS),
        "reading must give the data or SIGBUS, but: {end:?}"
    );
    let sum = rgt::checksum::of_fill(0xfeed_f00d, MIB / 4);
    same("sum afterwards", rig.checksum(&bo)?, sum)
}

fn hidden_vram_that_may_move() -> Outcome {
    let rig = Rig::new()?;
    let bo = rig.bo(MIB, |bo| {
        bo.placement(Placement::VRAM | Placement::GTT)
            .flags(BoFlags::NO_CPU_ACCESS)
    })?;
    rig.fill(&bo, 0xfeed_f00e)?;
    same(
        "how reading ends",
        read_in_child(&bo, 0xfeed_f00e)?,
        End::Exit(0),
    )?;
    let sum = rgt::checksum::of_fill(0xfeed_f00e, MIB / 4);
    same("sum afterwards", rig.checksum(&bo)?, sum)
}

/// VRAM whose CPU access was not announced: with the window full it lies outside, and the CPU's
/// first touch must bring it in.
fn unmapped_vram_moves_into_the_window() -> Outcome {
    const SIZE: u64 = 8 * MIB;
    let rig = Rig::new()?;
    let vram = rig
        .device
        .region(rgt::RegionKind::Vram)?
        .expect("there is VRAM");
    let count = (vram.cpu_visible_size / SIZE + 2).min((vram.size - vram.used) / SIZE - 1);
    let bos = (0..count)
        .map(|_| rig.vram(SIZE))
        .collect::<Result<Vec<_>>>()?;
    for (pattern, bo) in (1..).zip(&bos) {
        rig.fill(bo, pattern)?;
    }
    for (pattern, bo) in (1..).zip(&bos) {
        let map = bo.map()?;
        for offset in (0..map.len()).step_by(MIB as usize) {
            same("content", map.read(offset), pattern)?;
        }
    }
    Ok(())
}
