// SPDX-License-Identifier: GPL-2.0

//! Page faults of the CPU on BOs: how much one maps, and what becomes of it.

mod blocks;
mod count;
mod killed;
mod moves;

use anyhow::{Context, Result};
use rgt::Mapping;

use crate::harness::{Suite, Tag};

pub(super) use self::killed::{FAULTER, fault};

pub(super) const SUITE: Suite = Suite {
    name: "faults",
    needs: &[],
    tags: &[Tag::Memory],
    tests: &[count::TESTS, blocks::TESTS, moves::TESTS, killed::TESTS],
};

/// Bytes that the CPU can map by one entry above the page tables.
const BLOCK: usize = 2 << 20;

/// Page faults of this thread so far.
fn faults() -> i64 {
    // SAFETY: All zeros is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is there to be written.
    let result = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &mut usage) };
    assert_eq!(result, 0, "getrusage");
    usage.ru_minflt + usage.ru_majflt
}

/// Page faults that something takes.
fn faults_of(work: impl FnOnce()) -> i64 {
    let before = faults();
    work();
    faults() - before
}

/// Touches every page of a mapping.
fn touch(map: &Mapping) {
    for offset in (0..map.len()).step_by(4096) {
        map.write(offset, offset as u32 ^ 0x5555);
    }
}

/// Whether every page has what [`touch()`] wrote.
fn is_touched(map: &Mapping) -> bool {
    (0..map.len())
        .step_by(4096)
        .all(|offset| map.read(offset) == offset as u32 ^ 0x5555)
}

/// KiB of page tables that this process has.
fn page_tables() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmPTE:"))
        .context("no VmPTE")?;
    let number = line.trim().trim_end_matches("kB").trim();
    Ok(number.parse()?)
}
