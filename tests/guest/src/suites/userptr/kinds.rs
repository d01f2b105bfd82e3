// SPDX-License-Identifier: GPL-2.0

//! Kinds of memory: of huge pages, merged with other pages, and brought by another thread.

use std::fs;
use std::mem;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rgt::checksum::of_fill;

use super::area::{Area, HUGE, READ_WRITE};
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, PATIENCE, Rig, Setting};
use crate::suites::observe::FdInfo;
use crate::suites::reset::directory;

pub(super) const TESTS: &[Test] = tests![huge_pages, huge_tlb, merged];

/// A huge page takes one entry: no page table of level 0.
fn huge_pages() -> Outcome {
    const COUNT: usize = 4;
    let area = Area::huge(COUNT)?;
    let small = Area::aligned(area.len())?;
    small.advise(0, small.len(), libc::MADV_NOHUGEPAGE)?;
    // In an order in which no two come to be side by side.
    for first in [0, PAGE as usize] {
        let pages = (first..small.len()).step_by(2 * PAGE as usize);
        pages.for_each(|at| small.write(at, 0));
    }
    small.number(1);
    same("huge pages among small ones", small.huge_bytes()?, 0)?;

    let (rig, other) = (Rig::new()?, Rig::new()?);
    let (bound, small_bound) = (area.bind(&rig)?, small.bind(&other)?);
    for (rig, area, bound) in [(&rig, &area, &bound), (&other, &small, &small_bound)] {
        same("content", bound.checksum(rig)?, area.checksum())?;
        bound.fill(rig, 8)?;
        let sum = of_fill(8, area.len() as u64 / 4);
        same("filled", area.checksum(), sum)?;
    }
    same("bytes that are still huge", area.huge_bytes()?, area.len())?;

    // An IOMMU gives small pages addresses that are side by side.
    if has_iommu(&rig)? {
        return Ok(());
    }
    let deadline = Instant::now() + PATIENCE;
    let most = settled_page_tables(&other)?;
    while page_tables(&rig)? + COUNT as u64 * PAGE > most {
        ensure!(
            Instant::now() < deadline,
            "{} bytes of page tables, {most} for small pages",
            page_tables(&rig)?
        );
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Returns whether an IOMMU is between the GPU and the memory.
fn has_iommu(rig: &Rig) -> Result<bool> {
    Ok(directory(&rig.device)?.join("iommu_group").exists())
}

/// Bytes of a client's page tables.
fn page_tables(rig: &Rig) -> Result<u64> {
    FdInfo::of(&rig.device)?.number("rgt-page-tables")
}

/// As above, without what its VMs keep for their next binds.
fn settled_page_tables(rig: &Rig) -> Result<u64> {
    /// They keep it for two seconds.
    const LONG_ENOUGH: Duration = Duration::from_secs(4);
    let (mut last, mut since) = (page_tables(rig)?, Instant::now());
    while since.elapsed() < LONG_ENOUGH {
        thread::sleep(Duration::from_millis(50));
        let now = page_tables(rig)?;
        if mem::replace(&mut last, now) != now {
            since = Instant::now();
        }
    }
    Ok(last)
}

fn huge_tlb() -> Outcome {
    let _pages = Setting::change("/proc/sys/vm/nr_hugepages", "2")?;
    let rig = Rig::new()?;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB;
    let area = Area::map(2 * HUGE, READ_WRITE, flags, None)?;
    area.number(1);
    let bound = area.bind(&rig)?;
    same("content", bound.checksum(&rig)?, area.checksum())?;
    bound.fill(&rig, 8)?;
    let sum = of_fill(8, 2 * HUGE as u64 / 4);
    same("filled", area.checksum(), sum)?;
    area.replace(HUGE, HUGE, flags, None)?;
    same("half of it anew", bound.checksum(&rig)?, area.checksum())
}

/// Pages that are merged with others are parted before the GPU writes one.
fn merged() -> Outcome {
    const RUN: &str = "/sys/kernel/mm/ksm/run";
    const LEN: usize = 8 * PAGE as usize;
    let rig = Rig::new()?;
    let areas = [Area::anonymous(LEN)?, Area::anonymous(LEN)?];
    for area in &areas {
        area.number(700);
        area.advise(0, LEN, libc::MADV_MERGEABLE)?;
    }
    let [first, second] = &areas;
    let bound = [first.bind(&rig)?, second.bind(&rig)?];
    let _pace = Setting::change("/sys/kernel/mm/ksm/sleep_millisecs", "10")?;
    let _run = Setting::change(RUN, "1")?;
    let sharing = || -> Result<u64> {
        let text = fs::read_to_string("/sys/kernel/mm/ksm/pages_sharing")?;
        Ok(text.trim().parse()?)
    };
    let before = bound[1].checksum(&rig)?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while sharing()? < LEN as u64 / PAGE {
        ensure!(Instant::now() < deadline, "{} pages are merged", sharing()?);
        thread::sleep(Duration::from_millis(20));
    }
    for round in 0..3 {
        bound[0].fill(&rig, round)?;
        same("the other one", bound[1].checksum(&rig)?, before)?;
        same("and for the CPU", second.checksum(), before)?;
        let sum = of_fill(round, LEN as u64 / 4);
        same("the one that was written", first.checksum(), sum)?;
    }
    Ok(())
}
