// SPDX-License-Identifier: GPL-2.0

//! Memory that goes to swap.

use anyhow::{Result, ensure};

use super::area::{Area, Bound, HUGE};
use crate::expect::same;
use crate::harness::{Length, Outcome, Test, tests};
use crate::rig::{MIB, MemoryGroup, PAGE, Rig, Setting, meminfo};

pub(super) const TESTS: &[Test] = tests![
    written_by_the_gpu_goes_there_and_comes_back,
    huge_pages_go_there_and_come_back,
    more_than_there_is,
    more_than_its_cgroup_has,
];

const LEN: usize = 64 * PAGE as usize;
const MADV_PAGEOUT: libc::c_int = 21;

/// How many pages of an area are in swap.
fn swapped(area: &Area) -> Result<usize> {
    const SWAPPED: u64 = 1 << 62;
    let entries = area.page_map()?;
    Ok(entries
        .iter()
        .filter(|entry| **entry & SWAPPED != 0)
        .count())
}

/// Has the kernel write an area to swap, and checks that it has, but for a few pages.
fn page_out(area: &Area) -> Outcome {
    area.advise(0, area.len(), MADV_PAGEOUT)?;
    let pages = swapped(area)?;
    ensure!(
        pages >= area.len() / PAGE as usize / 2,
        "{pages} pages are in swap"
    );
    Ok(())
}

/// What the GPU has written is not lost with a page that the process has only read since it came from
/// swap: the page tables of the process do not tell that it is dirty.
fn written_by_the_gpu_goes_there_and_comes_back() -> Outcome {
    let rig = Rig::new()?;
    let area = Area::anonymous(LEN)?;
    let bound = area.bind(&rig)?;
    for round in 0..Length::choose(10, 500) {
        area.number(1000 * round);
        page_out(&area)?;
        // By reading.
        let sum = area.checksum();
        same("the GPU sees what came back", bound.checksum(&rig)?, sum)?;
        bound.fill(&rig, round + 7)?;
        area.advise(0, LEN, MADV_PAGEOUT)?;
        let sum = rgt::checksum::of_fill(round + 7, LEN as u64 / 4);
        same(&format!("round {round}"), area.checksum(), sum)?;
    }
    Ok(())
}

/// Whole or in pieces.
fn huge_pages_go_there_and_come_back() -> Outcome {
    // With little memory the kernel has none unless it is told to.
    let _some = Setting::change("/sys/kernel/mm/transparent_hugepage/enabled", "madvise")?;
    let rig = Rig::new()?;
    for round in 1..4 {
        let area = Area::huge(1)?;
        let bound = area.bind(&rig)?;
        bound.fill(&rig, round)?;
        page_out(&area)?;
        let sum = rgt::checksum::of_fill(round, HUGE as u64 / 4);
        same("the GPU sees what came back", bound.checksum(&rig)?, sum)?;
        bound.fill(&rig, round + 7)?;
        page_out(&area)?;
        let sum = rgt::checksum::of_fill(round + 7, HUGE as u64 / 4);
        same("and so does the CPU", area.checksum(), sum)?;
    }
    Ok(())
}

/// Jobs go on while all of it does not fit into memory.
fn more_than_there_is() -> Outcome {
    let wanted = meminfo("MemAvailable")? * 5 / 4;
    ensure!(
        meminfo("SwapFree")? > wanted / 2,
        "there is too little swap for {wanted} bytes"
    );
    used_in_turn(wanted)
}

/// What the GPU has faulted in is charged to whose memory it is.
fn more_than_its_cgroup_has() -> Outcome {
    const LIMIT: u64 = 24 * MIB;
    let group = MemoryGroup::new()?;
    group.limit(LIMIT)?;
    used_in_turn(3 * LIMIT)?;
    let (limited, peak) = (group.limited()?, group.peak()?);
    ensure!(limited != 0, "the limit was not met: at most {peak} bytes");
    // A huge page is charged at once or not at all, and what reclaim needs itself in any case.
    ensure!(
        (LIMIT - 2 * HUGE as u64..=LIMIT + MIB).contains(&peak),
        "it was charged with {peak} bytes"
    );
    Ok(())
}

/// Has the GPU fill so many bytes of areas, each in a VM of its own: jobs need all that is bound in their
/// VM.
fn used_in_turn(wanted: u64) -> Outcome {
    const AREA: usize = 4 << 20;
    let rig = Rig::new()?;
    let rigs = (0..wanted / AREA as u64)
        .map(|_| rig.sibling())
        .collect::<Result<Vec<_>>>()?;
    let areas = rigs
        .iter()
        .map(|rig| {
            let area = Area::anonymous(AREA)?;
            let bound = area.bind(rig)?;
            Ok((area, bound))
        })
        .collect::<Result<Vec<(Area, Bound)>>>()?;
    for (index, (rig, (_, bound))) in rigs.iter().zip(&areas).enumerate() {
        bound.fill(rig, index as u32 + 1)?;
    }
    for (index, (rig, (_, bound))) in rigs.iter().zip(&areas).enumerate() {
        let sum = rgt::checksum::of_fill(index as u32 + 1, AREA as u64 / 4);
        same(&format!("area {index}"), bound.checksum(rig)?, sum)?;
    }
    Ok(())
}
