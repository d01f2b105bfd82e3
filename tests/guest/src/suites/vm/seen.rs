// SPDX-License-Identifier: GPL-2.0

//! Addresses as the GPU sees them.

use anyhow::Result;
use rgt::{Binding, Bo};

use crate::rig::{PAGE, Rig};

/// A BO whose page n is full of the value `tag + n`.
pub(in crate::suites) fn numbered(rig: &Rig, pages: u64, tag: u32) -> Result<Bo> {
    let bo = rig.gtt(pages * PAGE)?;
    let map = bo.map()?;
    for page in 0..pages as usize {
        let start = page * PAGE as usize;
        map.fill(start..start + PAGE as usize, tag + page as u32);
    }
    Ok(bo)
}

/// Returns the first dword of each page of a range as the GPU reads it; none where that faults.
pub(super) fn seen(rig: &Rig, bos: &[&Bo], range: &Binding) -> Result<Vec<Option<u32>>> {
    seen_at(rig, bos, range.addr(), range.size() / PAGE)
}

/// The same of so many pages from an address.
pub(in crate::suites) fn seen_at(
    rig: &Rig,
    bos: &[&Bo],
    addr: u64,
    pages: u64,
) -> Result<Vec<Option<u32>>> {
    const UNWRITTEN: u32 = 0xffff_ffff;
    let result = rig.gtt(PAGE)?;
    let map = result.map()?;
    map.fill(0..pages as usize * 4, UNWRITTEN);
    for page in 0..pages {
        let mut work = rig.work(rig.copy)?;
        for bo in bos {
            work.job = work.job.clone().read(bo);
        }
        let to = work.writes(&result)?;
        work.commands.copy(addr + page * PAGE, to + page * 4, 4)?;
        work.run()?;
    }
    let read = |page: usize| Some(map.read(page * 4)).filter(|value| *value != UNWRITTEN);
    Ok((0..pages as usize).map(read).collect())
}

/// Returns `seen`'s answer for pages that have these values, from ranges and holes.
pub(super) fn pages(parts: &[(u64, Option<u32>)]) -> Vec<Option<u32>> {
    let part = |(count, first): &(u64, Option<u32>)| {
        let first = *first;
        (0..*count as u32)
            .map(move |page| first.map(|value| value + page))
            .collect::<Vec<_>>()
    };
    parts.iter().flat_map(part).collect()
}
