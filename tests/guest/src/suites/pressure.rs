// SPDX-License-Identifier: GPL-2.0

//! More content than memory.
//!
//! Where there is swap, BOs are backed up to it; elsewhere only BOs that are not needed can go.
//! A machine with much memory is made one with little by taking the rest. Control groups cannot
//! stand in for little memory: no BO's pages are charged to one.

use std::time::Duration;
use std::{fs, io, ptr, thread};

use anyhow::{Context, Result, ensure};
use rgt::{Bo, Caching, Placement};
use rustix::mm::{MlockAllFlags, mlockall, munlockall};

use crate::expect::{each, same};
use crate::harness::{LONG, Outcome, Suite, Tag, say, skip, tests};
use crate::rig::{
    Dice, MIB, Make, PAGE, Rig, SYSTEM, Setting, count_write_combined, meminfo, noise, shrink_all,
    without_pressure,
};
use crate::suites::observe::values_in_calls;

pub(super) const SUITE: Suite = Suite {
    name: "pressure",
    needs: &[],
    tags: &[Tag::Memory, Tag::LowMemory],
    tests: &[tests![
        LONG;
        pages_go_back_as_they_came,
        pool_counts_what_goes_back,
        backed_up_and_restored,
        closed_while_backed_up,
        twice_the_memory,
        four_times_the_memory_of_which_little_is_needed,
    ]],
};

const CHUNK: u64 = 4 * MIB;

/// Memory that tests of little memory leave, however much there is.
pub(super) const LITTLE: u64 = 64 * MIB;

/// Kinds of BOs that are in pages, with and without the GPU.
pub(super) const IN_PAGES: [(&str, Make); 4] = [
    ("cached GTT", |bo| bo.placement(Placement::GTT)),
    ("write-combined GTT", |bo| {
        bo.placement(Placement::GTT).caching(Caching::WriteCombined)
    }),
    ("cached system", SYSTEM),
    ("write-combined system", |bo| {
        bo.placement(Placement::SYSTEM)
            .caching(Caching::WriteCombined)
    }),
];

/// Bytes of pages that BOs have.
fn in_use() -> Result<u64> {
    meminfo("GPUActive")
}

/// Bytes that are backed up, and what else is in shmem or swap.
fn room_of_backups() -> Result<u64> {
    Ok(meminfo("Shmem")? + meminfo("SwapTotal")? - meminfo("SwapFree")?)
}

/// Returns why so much cannot be backed up: there is no swap for it, or pages are coherent memory.
fn obstacle(rig: &Rig, bytes: u64) -> Result<Option<String>> {
    let free = meminfo("SwapFree")?;
    if free < bytes {
        return Ok(Some(format!("swap has room for {free} bytes of {bytes}")));
    }
    let bo = rig.gtt(CHUNK)?;
    bo.map()?.write(0, 1);
    // Coherent memory is not counted.
    let coherent = in_use()? < CHUNK / 2;
    Ok(coherent.then(|| "coherent memory is not backed up".to_owned()))
}

/// Skips the test where so much cannot be backed up.
pub(super) fn needs_backups(rig: &Rig, bytes: u64) -> Outcome {
    match obstacle(rig, bytes)? {
        Some(why) => skip(why),
        None => Ok(()),
    }
}

/// How many pages are write-combined when all that can go has gone, and none is on its way.
fn write_combined_that_stay() -> Result<u64> {
    let mut last = None;
    loop {
        shrink_all()?;
        let now = count_write_combined()?;
        if last == Some(now) {
            return Ok(now);
        }
        last = Some(now);
        thread::sleep(Duration::from_millis(100));
    }
}

/// Freed pages are write-back again, whether freed with their BO or backed up.
fn pages_go_back_as_they_came() -> Outcome {
    const SIZE: u64 = 4 * MIB;
    let rig = Rig::new()?;
    let make: Make = |bo| bo.placement(Placement::GTT).caching(Caching::WriteCombined);
    let (freed, backed_up) = (rig.bo(SIZE, make)?, rig.bo(SIZE, make)?);
    let can = obstacle(&rig, SIZE)?.is_none();
    let before = write_combined_that_stay()?;
    for bo in [&freed, &backed_up] {
        // By the CPU, as a job has memory of its own.
        bo.map()?.write(0, 1);
    }
    let with = count_write_combined()?;
    same("pages of the BOs", with - before, 2 * SIZE / PAGE)?;

    // The frame of a page that is free does not tell, so that those who change it are asked, too: by
    // their second argument, for so many pages.
    let changed = values_in_calls("set_pages_wb", "%si", || {
        drop(freed);
        if !can {
            drop(backed_up);
        }
        same("pages that stayed", write_combined_that_stay()?, before)
    })?;
    let changed: u64 = changed.iter().sum();
    ensure!(
        changed >= SIZE / PAGE,
        "{changed} pages were made cached again"
    );
    Ok(())
}

/// Has TTM's pool give a batch of pages back. Gives how many there were and how many went.
fn shrink_pool() -> Result<(u64, u64)> {
    let nodes = fs::read_to_string("/sys/kernel/debug/ttm/page_pool_shrink")?;
    let counts = nodes.lines().map(|line| {
        let (there, gone) = line.split_once(": ")?.1.split_once('/')?;
        Some((there.parse::<u64>().ok()?, gone.parse::<u64>().ok()?))
    });
    let counts: Option<Vec<_>> = counts.collect();
    let sum = |(there, gone), (more, went)| (there + more, gone + went);
    Ok(counts.context(nodes)?.into_iter().fold((0, 0), sum))
}

/// Pages of all sizes: reclaim goes by what it is told.
fn pool_counts_what_goes_back() -> Outcome {
    const SIZE: u64 = 4 * MIB + 7 * PAGE;
    let rig = Rig::new()?;
    let make: Make = |bo| bo.placement(Placement::GTT).caching(Caching::WriteCombined);
    write_combined_that_stay()?;
    rig.bo(SIZE, make)?.map()?.write(0, 1);
    let (mut there, mut gone) = shrink_pool()?;
    ensure!(there >= SIZE / PAGE, "{there} pages are in the pool");
    while there != 0 {
        ensure!(gone != 0, "{there} pages stay");
        let next = shrink_pool()?;
        same("pages that are left", next.0, there - gone)?;
        (there, gone) = next;
    }
    Ok(())
}

fn backed_up_and_restored() -> Outcome {
    const SIZE: u64 = 3 * MIB + 5 * PAGE;
    let rig = Rig::new()?;
    needs_backups(&rig, SIZE)?;
    let data = noise(9, SIZE as usize / 4);
    let sum = rgt::checksum::of_dwords(&data);
    // What is in swap is of BOs.
    mlockall(MlockAllFlags::CURRENT)?;
    each(IN_PAGES, |make| {
        let bo = rig.bo(SIZE, make)?;
        let map = bo.map()?;
        map.write_slice(0, &data);
        let backups = room_of_backups()?;
        let gpu = bo.info()?.placement == Placement::GTT;
        if gpu {
            same("sum before", rig.checksum(&bo)?, sum)?;
        }
        for _ in 0..2 {
            let with = in_use()?;
            shrink_all()?;
            let without = in_use()?;
            // It is not exact: each processor has counts of its own, added up now and then.
            ensure!(
                without + SIZE / 2 <= with,
                "{with} bytes in use, {without} after all shrinkers"
            );
            if gpu {
                same("sum by the GPU", rig.checksum(&bo)?, sum)?;
                shrink_all()?;
            }
            same("sum by the CPU", map.checksum(0..SIZE as usize), sum)?;
            ensure!(
                room_of_backups()? < backups + SIZE / 2,
                "what was restored is still backed up"
            );
        }
        // Backed up content that is not needed can go.
        shrink_all()?;
        same("retained", bo.dont_need()?, false)?;
        same("retained, told", bo.will_need()?, false)?;
        same("sum of nothing", map.checksum(0..SIZE as usize), 0)
    })?;
    Ok(munlockall()?)
}

fn closed_while_backed_up() -> Outcome {
    let rig = Rig::new()?;
    needs_backups(&rig, CHUNK)?;
    let free = meminfo("SwapFree")?;
    each(IN_PAGES, |make| {
        let bo = rig.bo(CHUNK, make)?;
        bo.map()?.fill(0..CHUNK as usize, 0x0bad_f00d);
        shrink_all()?;
        drop(bo);
        let next = rig.bo(CHUNK, make)?;
        same(
            "sum of the next",
            next.map()?.checksum(0..CHUNK as usize),
            0,
        )
    })?;
    ensure!(meminfo("SwapFree")? + CHUNK >= free, "swap is still in use");
    Ok(())
}

/// A BO whose content is known.
struct Content {
    bo: Bo,
    pattern: u32,
}

impl Content {
    /// A BO of one of the kinds, filled by the GPU where that sees it.
    fn new(rig: &Rig, number: u32) -> Result<Self> {
        let (_, make) = IN_PAGES[number as usize % IN_PAGES.len()];
        let mut content = Self {
            bo: rig.bo(CHUNK, make)?,
            pattern: 0,
        };
        content.write(rig, number + 1)?;
        Ok(content)
    }

    /// Writes a pattern into it that no other one has.
    fn write(&mut self, rig: &Rig, pattern: u32) -> Result<()> {
        let map = self.bo.map()?;
        self.pattern = pattern;
        if self.bo.info()?.placement == Placement::SYSTEM {
            for at in (0..map.len()).step_by(512) {
                map.write(at, pattern);
            }
            return Ok(());
        }
        rig.fill(&self.bo, pattern)
    }

    /// Looks at every byte where the GPU can do it, else at words all over it.
    fn check(&self, rig: &Rig) -> Outcome {
        let map = self.bo.map()?;
        if self.bo.info()?.placement == Placement::SYSTEM {
            let wrong = (0..map.len())
                .step_by(512)
                .find(|at| map.read(*at) != self.pattern);
            return same("offset of the first wrong word", wrong, None);
        }
        let sum = rgt::checksum::of_fill(self.pattern, CHUNK / 4);
        same("sum", rig.checksum(&self.bo)?, sum)?;
        same("last word", map.read(map.len() - 4), self.pattern)
    }
}

/// Memory that is taken from all others while this lives.
pub(super) struct Hog {
    base: *mut libc::c_void,
    len: usize,
    _no_boost: Setting,
}

impl Hog {
    /// Takes all memory but `LITTLE`.
    pub(super) fn leave_little() -> Result<Self> {
        // The kernel keeps more than that free for a while, and calls the OOM killer where
        // allocations find the rest. TTM's pool has pages that do not count as available, and gives
        // them to the driver.
        let no_boost = without_pressure()?;
        let len = usize::try_from(meminfo("MemAvailable")?.saturating_sub(LITTLE).max(PAGE))?;
        // SAFETY: The kernel chooses the address, so no memory of ours is replaced.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_LOCKED | libc::MAP_POPULATE,
                -1,
                0,
            )
        };
        ensure!(base != libc::MAP_FAILED, io::Error::last_os_error());
        Ok(Self {
            base,
            len,
            _no_boost: no_boost,
        })
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        // SAFETY: It was mapped as this, and nothing refers to it.
        unsafe { libc::munmap(self.base, self.len) };
    }
}

/// Twice the memory that there is, every byte of it needed.
fn twice_the_memory() -> Outcome {
    let rig = Rig::new()?;
    needs_backups(&rig, LITTLE * 5 / 2)?;
    let _hog = Hog::leave_little()?;
    let count = (LITTLE * 2 / CHUNK) as u32;
    let mut all = (0..count)
        .map(|number| Content::new(&rig, number))
        .collect::<Result<Vec<_>>>()?;
    // In an order in which nothing of what is in memory is what comes next.
    for content in &all {
        content.check(&rig)?;
    }
    let mut dice = Dice::new(count);
    let some: Vec<_> = (0..count / 8).map(|_| dice.below(count) as usize).collect();
    for number in &some {
        all[*number].write(&rig, dice.roll())?;
    }
    some.iter().try_for_each(|number| all[*number].check(&rig))
}

/// Four times the memory that there is, most of it not needed any more when the next comes.
fn four_times_the_memory_of_which_little_is_needed() -> Outcome {
    let rig = Rig::new()?;
    let _hog = Hog::leave_little()?;
    let count = (LITTLE * 4 / CHUNK) as u32;
    let (mut needed, mut rest) = (Vec::new(), Vec::new());
    for number in 0..count {
        let content = Content::new(&rig, number)?;
        if number % 16 < 2 {
            needed.push(content);
        } else {
            content.bo.dont_need()?;
            rest.push(content);
        }
    }
    let mut purged = 0;
    for content in &rest {
        if content.bo.will_need()? {
            content.check(&rig)?;
        } else {
            purged += 1;
        }
        content.bo.dont_need()?;
    }
    say(&format!("{purged} of {} purged", rest.len()));
    ensure!(purged != 0, "more content than memory");
    needed.iter().try_for_each(|content| content.check(&rig))
}
