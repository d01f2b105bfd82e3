// SPDX-License-Identifier: GPL-2.0

//! The machine's memory: how much there is, and having the kernel take some back.

use std::fs;

use anyhow::{Context, Result};

use super::Setting;

/// By how much the kernel raises its watermarks for a while when pages of several kinds come to be side by
/// side.
const BOOST: &str = "/proc/sys/vm/watermark_boost_factor";

/// Bytes of an entry of /proc/meminfo.
pub(crate) fn meminfo(entry: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix(entry)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("no {entry} in /proc/meminfo"))? * 1024)
}

/// An entry of /proc/vmstat.
pub(crate) fn vmstat(entry: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/vmstat")?;
    let words = text.lines().filter_map(|line| line.split_once(' '));
    let value = { words }.find(|(name, _)| *name == entry);
    let (_, value) = value.with_context(|| format!("no {entry} in /proc/vmstat"))?;
    Ok(value.parse()?)
}

/// Has the kernel take nothing while this is kept: it has free memory, and does not look for more before
/// that is short.
pub(crate) fn without_pressure() -> Result<Setting> {
    shrink_all()?;
    Setting::change(BOOST, "0")
}

/// Has the kernel compact all memory, as far as it can.
pub(crate) fn compact() -> Result<()> {
    fs::write("/proc/sys/vm/compact_memory", "1").context("compact_memory")
}

/// Has the kernel call all shrinkers until they free no more.
pub(crate) fn shrink_all() -> Result<()> {
    fs::write("/proc/sys/vm/drop_caches", "2").context("drop_caches")
}
