// SPDX-License-Identifier: GPL-2.0

//! What the kernel knows of the caching of pages.

use std::fs::File;
use std::io::Read;

use anyhow::{Context, Result};

/// KPF_ARCH: on x86, of a page that the kernel has mapped write-combined.
const WRITE_COMBINED: u64 = 1 << 38;

/// Counts the page frames that are mapped write-combined by the kernel.
pub(crate) fn count_write_combined() -> Result<u64> {
    let mut file = File::open("/proc/kpageflags").context("kpageflags")?;
    let mut chunk = vec![0; 1 << 20];
    let mut count = 0;
    loop {
        let len = file.read(&mut chunk)?;
        if len == 0 {
            return Ok(count);
        }
        let (flags, _) = chunk[..len].as_chunks::<8>();
        let combined = |flags: &&[u8; 8]| u64::from_ne_bytes(**flags) & WRITE_COMBINED != 0;
        count += flags.iter().filter(combined).count() as u64;
    }
}
