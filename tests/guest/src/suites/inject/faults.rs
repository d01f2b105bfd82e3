// SPDX-License-Identifier: GPL-2.0

//! Faults of the CPU: on pages that are there, that have to be made, or that have to come out of
//! hidden VRAM.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use rgt::{Bo, BoFlags, Mapping, Placement};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;

use super::fail::{Failures, failing};
use crate::expect::{each, same};
use crate::harness::{Outcome, Test};
use crate::rig::{HIDDEN, MIB, Make, PAGE, Rig, SHARED, SYSTEM, noise};

pub(super) const TESTS: &[Test] = failing![
    on_new_memory: 300,
    on_content: 210,
    out_of_hidden_vram: 80,
    through_gtt_to_pages: 60,
    through_gtt_from_pages: 30,
];

/// Not a power of two, so that it is in several pieces.
const SIZE: u64 = 69 * PAGE;

/// A file in memory to write mappings to: the kernel reads them and says when it cannot, where the
/// program itself would get a signal.
pub(in crate::suites) struct Sink(File);

impl Sink {
    /// One for so many bytes, with all of its pages.
    pub(in crate::suites) fn new(size: u64) -> Result<Self> {
        let file = File::from(memfd_create("sink", MemfdFlags::empty())?);
        file.write_all_at(&vec![0; usize::try_from(size)?], 0)?;
        Ok(Self(file))
    }

    /// Has the kernel read all of a mapping.
    pub(in crate::suites) fn touch(&self, map: &Mapping) -> Result<()> {
        let (start, len) = (map.as_ptr().cast(), map.len());
        // SAFETY: All of the mapping is there, and a file may be told anything.
        let written = unsafe { libc::pwrite(self.0.as_raw_fd(), start, len, 0) };
        let errno = match usize::try_from(written) {
            Ok(written) if written == len => return Ok(()),
            // It came to a page that cannot be had.
            Ok(_) => Errno::NOMEM,
            Err(_) => match std::io::Error::last_os_error().raw_os_error() {
                Some(libc::EFAULT) | None => Errno::NOMEM,
                Some(errno) => Errno::from_raw_os_error(errno),
            },
        };
        let call = "pwrite";
        Err(rgt::Error::Os { call, errno }.into())
    }
}

/// A BO with content, and a mapping that was not touched.
struct Content {
    bo: Bo,
    map: Mapping,
    sum: u64,
}

impl Content {
    /// Has the GPU copy noise from `source` to a new BO.
    fn copied(rig: &Rig, source: &Source, make: Make) -> Result<Self> {
        let bo = rig.bo(SIZE, make)?;
        rig.copy(&source.bo, &bo)?;
        Ok(Self {
            map: bo.map()?,
            bo,
            sum: source.sum,
        })
    }

    /// Has the CPU look at every byte.
    fn check(&self) -> Outcome {
        same("sum", self.map.checksum(0..self.map.len()), self.sum)
    }

    fn place(&self) -> Result<Placement> {
        Ok(self.bo.info()?.current_placement)
    }
}

/// Noise in GTT.
struct Source {
    bo: Bo,
    sum: u64,
}

impl Source {
    fn new(rig: &Rig) -> Result<Self> {
        let data = noise(11, SIZE as usize / 4);
        let bo = rig.gtt(SIZE)?;
        bo.map()?.write_slice(0, &data);
        let sum = rgt::checksum::of_dwords(&data);
        same("sum of the noise", rig.checksum(&bo)?, sum)?;
        Ok(Self { bo, sum })
    }
}

fn on_new_memory(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    let sink = Sink::new(SIZE)?;
    let kinds = SHARED.into_iter().chain([("system pages", SYSTEM)]);
    each(kinds, |make| {
        for size in [PAGE, SIZE] {
            failures.each_allocation_checked(
                || Ok(rig.bo(size, make)?.map()?),
                |map| sink.touch(map),
                |map| same("sum", map.checksum(0..map.len()), 0),
            )?;
        }
        Ok(())
    })
}

fn on_content(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    let sink = Sink::new(SIZE)?;
    let source = Source::new(&rig)?;
    // Where there is a table for the addresses already, only copies fail.
    each(SHARED, |make| {
        failures.each_allocation_checked(
            || Content::copied(&rig, &source, make),
            |content| sink.touch(&content.map),
            |content| content.check(),
        )?;
        Ok(())
    })?;
    let data = noise(12, SIZE as usize / 4);
    let sum = rgt::checksum::of_dwords(&data);
    failures.each_allocation_checked(
        || {
            let bo = rig.bo(SIZE, SYSTEM)?;
            bo.map()?.write_slice(0, &data);
            Ok(bo.map()?)
        },
        |map| sink.touch(map),
        |map| same("sum of system pages", map.checksum(0..map.len()), sum),
    )?;
    Ok(())
}

/// A BO that lies outside the window comes into it.
fn out_of_hidden_vram(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    let sink = Sink::new(SIZE)?;
    let source = Source::new(&rig)?;
    let mut full = fill_window(&rig)?;
    drop(full.swap_remove(0));
    failures.each_allocation_checked(
        || {
            // It takes the BO's place until that is elsewhere.
            let _block = filler(&rig, BLOCK)?;
            Content::copied(&rig, &source, HIDDEN)
        },
        |content| sink.touch(&content.map),
        |content| content.check(),
    )
}

/// A BO in VRAM that the CPU does not see. With the window full, a fault has it leave for pages
/// that the GPU does not see.
fn hidden(rig: &Rig, source: &Source) -> Result<Content> {
    let content = Content::copied(rig, source, |bo| {
        bo.placement(Placement::VRAM | Placement::SYSTEM)
            .flags(BoFlags::NO_CPU_ACCESS)
    })?;
    same("place before", content.place()?, Placement::VRAM)?;
    Ok(content)
}

/// TTM has it stop in GTT.
fn through_gtt_to_pages(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    let sink = Sink::new(SIZE)?;
    let source = Source::new(&rig)?;
    let _full = fill_window(&rig)?;
    failures.each_allocation_checked(
        || hidden(&rig, &source),
        |content| {
            sink.touch(&content.map)?;
            same("place", content.place()?, Placement::SYSTEM)
        },
        |content| content.check(),
    )
}

/// And on its way back.
fn through_gtt_from_pages(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    let source = Source::new(&rig)?;
    let _full = fill_window(&rig)?;
    let result = rig.gtt(8)?;
    rig.fill(&result, 0)?;
    failures.each_allocation_checked(
        || {
            let content = hidden(&rig, &source)?;
            content.check()?;
            same("place before", content.place()?, Placement::SYSTEM)?;
            let mut work = rig.work(rig.copy)?;
            let (from, to) = (work.reads(&content.bo)?, work.writes(&result)?);
            work.commands.checksum(from, SIZE, to)?;
            Ok((work, content))
        },
        |(work, _)| work.submit(),
        |(work, content)| {
            work.wait()?;
            same("sum by the GPU", rig.checksum(&content.bo)?, content.sum)?;
            same("place", content.place()?, Placement::VRAM)?;
            content.check()
        },
    )
}

/// The size of the BOs that fill the window.
const BLOCK: u64 = 8 * MIB;

/// A BO in the window.
fn filler(rig: &Rig, size: u64) -> Result<Bo> {
    let bo = rig.bo(size, SHARED[0].1)?;
    bo.map()?.write(0, 1);
    Ok(bo)
}

/// BOs that fill the window, the largest first.
fn fill_window(rig: &Rig) -> Result<Vec<Bo>> {
    let mut full = Vec::new();
    for size in [BLOCK, PAGE] {
        let vram = rig.device.region(rgt::RegionKind::Vram)?;
        let vram = vram.context("there is VRAM")?;
        for _ in 0..(vram.cpu_visible_size - vram.cpu_visible_used) / size {
            full.push(filler(rig, size)?);
        }
    }
    Ok(full)
}
