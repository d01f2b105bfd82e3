// SPDX-License-Identifier: GPL-2.0

//! Kinds of memory: of huge pages, merged with other pages, and brought by another thread.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::area::{Area, HUGE, READ_WRITE};
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{PAGE, Rig, Setting};

pub(super) const TESTS: &[Test] = tests![huge_pages, huge_tlb, merged];

/// A huge page takes one entry: no page table of level 0.
fn huge_pages() -> Outcome {
    const COUNT: usize = 4;
    let rig = Rig::new()?;
    let area = Area::aligned(COUNT * HUGE)?;
    area.advise(0, area.len(), libc::MADV_HUGEPAGE)?;
    area.number(1);
    let bound = area.bind(&rig)?;
    same("content", bound.checksum(&rig)?, area.checksum())?;
    bound.fill(&rig, 8)?;
    let sum = rgt::checksum::of_fill(8, (COUNT * HUGE) as u64 / 4);
    same("filled", area.checksum(), sum)
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
    let sum = rgt::checksum::of_fill(8, 2 * HUGE as u64 / 4);
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
        let sum = rgt::checksum::of_fill(round, LEN as u64 / 4);
        same("the one that was written", first.checksum(), sum)?;
    }
    Ok(())
}
