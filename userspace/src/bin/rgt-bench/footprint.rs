// SPDX-License-Identifier: MIT

//! Kernel memory of many BOs.

use std::fs;

use anyhow::{Context, Result};
use rgt::{Bo, Device, Placement};

use crate::row::row;

const COUNT: u64 = 100_000;

/// Measures what BOs cost that have no backing yet: what is left is bookkeeping.
pub(crate) fn run(device: &Device) -> Result<()> {
    let bos = |count| {
        (0..count)
            .map(|_| {
                let bo = Bo::builder(4096).placement(Placement::VRAM);
                Ok(bo.create(device)?)
            })
            .collect::<Result<Vec<Bo>>>()
    };
    // The extra cost of the first ones is not counted; our own list is.
    drop(bos(COUNT / 100)?);
    let own = COUNT * size_of::<Bo>() as u64;
    let before = available()?;
    let all = bos(COUNT)?;
    let used = before.saturating_sub(available()?).saturating_sub(own);
    row("footprint.bo", used / all.len() as u64, "bytes");
    Ok(())
}

/// Bytes of memory that the kernel could still give.
fn available() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .context("/proc/meminfo has no MemAvailable")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
