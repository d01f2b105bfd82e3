// SPDX-License-Identifier: GPL-2.0

//! Hibernation: what is in VRAM is in the system after it, and what the system has on disk is not in
//! memory a second time.

use anyhow::{Context, Result, ensure};
use rgt::RegionKind;

use super::content::is_kept;
use super::sleep::Sleep;
use crate::expect::same;
use crate::harness::{LONG, Outcome, Test, tests};
use crate::rig::{MIB, PAGE, Rig, vmstat};

pub(super) const TESTS: &[Test] = tests![LONG; all_is_there_again, restored_by_a_kernel_that_boots, with_more_in_vram_than_memory_has];

fn all_is_there_again() -> Outcome {
    is_kept(Sleep::Disk)
}

fn restored_by_a_kernel_that_boots() -> Outcome {
    is_kept(Sleep::Reset)
}

/// The image has to fit into half of the memory: what was in VRAM is swapped out before.
fn with_more_in_vram_than_memory_has() -> Outcome {
    const SIZE: u64 = 8 * MIB;
    let rig = Rig::new()?;
    let vram = rig.device.region(RegionKind::Vram)?;
    let vram = vram.context("there is VRAM")?;
    let count = (vram.size - vram.used) / SIZE - 4;
    let bos = (0..count)
        .map(|_| rig.vram(SIZE))
        .collect::<Result<Vec<_>>>()?;
    for (pattern, bo) in (0x4000..).zip(&bos) {
        rig.fill(bo, pattern)?;
    }

    let before = vmstat("pswpout")?;
    Sleep::Disk.enter()?;
    let swapped = (vmstat("pswpout")? - before) * PAGE;
    ensure!(swapped >= count * SIZE / 2, "only {swapped} bytes went out");
    for (pattern, bo) in (0x4000..).zip(&bos) {
        let sum = rgt::checksum::of_fill(pattern, SIZE / 4);
        same("sum", rig.checksum(bo)?, sum).with_context(|| format!("BO with {pattern:#x}"))?;
    }
    Ok(())
}
