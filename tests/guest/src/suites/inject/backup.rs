// SPDX-License-Identifier: GPL-2.0

//! Backups of BOs to shmem, and their return.

use std::fs::File;
use std::os::fd::AsFd;

use anyhow::Result;
use rgt::{Bo, Mapping, Placement};

use super::fail::{Failures, TtmFaults, failing};
use super::faults::Sink;
use crate::expect::{each, same};
use crate::harness::{LONG, Outcome, Test, tests};
use crate::rig::{MIB, Make, PAGE, Rig, noise, shrink_all};
use crate::suites::pressure::{IN_PAGES, needs_backups};

pub(super) const TESTS: &[Test] = failing![
    LONG;
    backing_up: 40,
    restoring_by_the_cpu: 20,
    restoring_by_jobs: 80,
];

pub(super) const IN_PARTS: &[Test] = tests![LONG; in_parts];

/// A BO of several pages that are not one block: TTM takes its half of them for a failure of its
/// own, and blocks are backed up whole.
const SIZE: u64 = 3 * PAGE;

/// A BO of system pages, with content.
struct Content {
    bo: Bo,
    map: Mapping,
    sum: u64,
}

impl Content {
    fn new(rig: &Rig, size: u64, make: Make) -> Result<Self> {
        let data = noise(21, size as usize / 4);
        let bo = rig.bo(size, make)?;
        let map = bo.map()?;
        map.write_slice(0, &data);
        let sum = rgt::checksum::of_dwords(&data);
        Ok(Self { bo, map, sum })
    }

    fn check(&self) -> Outcome {
        same("sum", self.map.checksum(0..self.map.len()), self.sum)
    }

    /// Has the GPU look at every byte if it sees any.
    fn check_by_gpu(&self, rig: &Rig) -> Outcome {
        if self.bo.info()?.placement != Placement::GTT {
            return Ok(());
        }
        same("sum by the GPU", rig.checksum(&self.bo)?, self.sum)
    }
}

/// Has the kernel call all shrinkers, which allocate for this thread.
fn shrink(caches: &File) -> Result<()> {
    let written = rustix::io::write(caches.as_fd(), b"2");
    written.map_err(|errno| rgt::Error::Os {
        call: "drop_caches",
        errno,
    })?;
    Ok(())
}

fn backing_up(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    needs_backups(&rig, MIB)?;
    let caches = File::options()
        .write(true)
        .open("/proc/sys/vm/drop_caches")?;
    each(IN_PAGES, |make| {
        failures.each_allocation_checked(
            || Content::new(&rig, SIZE, make),
            |_| shrink(&caches),
            |content| {
                content.check_by_gpu(&rig)?;
                content.check()
            },
        )
    })
}

fn restoring_by_the_cpu(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    let sink = Sink::new(SIZE)?;
    needs_backups(&rig, MIB)?;
    each(IN_PAGES, |make| {
        failures.each_allocation_checked(
            || {
                let content = Content::new(&rig, SIZE, make)?;
                shrink_all()?;
                Ok(content)
            },
            |content| sink.touch(&content.map),
            |content| content.check(),
        )
    })
}

fn restoring_by_jobs(failures: &mut Failures) -> Outcome {
    let rig = Rig::new()?;
    needs_backups(&rig, MIB)?;
    let result = rig.gtt(8)?;
    rig.fill(&result, 0)?;
    each(IN_PAGES.into_iter().take(2), |make| {
        failures.each_allocation_checked(
            || {
                let content = Content::new(&rig, SIZE, make)?;
                let mut work = rig.work(rig.copy)?;
                let (from, to) = (work.reads(&content.bo)?, work.writes(&result)?);
                work.commands.checksum(from, SIZE, to)?;
                shrink_all()?;
                Ok((work, content))
            },
            |(work, _)| work.submit(),
            |(work, content)| {
                work.wait()?;
                content.check_by_gpu(&rig)?;
                content.check()
            },
        )
    })
}

fn in_parts() -> Outcome {
    // Two of the largest blocks that there are, if not many more.
    const SIZE: u64 = 8 * MIB;
    let rig = Rig::new()?;
    let faults = TtmFaults::new()?;
    needs_backups(&rig, SIZE)?;
    each(IN_PAGES, |make| {
        let content = Content::new(&rig, SIZE, make)?;
        for gpu_first in [false, true] {
            faults.set(1)?;
            shrink_all()?;
            faults.set(7)?;
            if gpu_first {
                content.check_by_gpu(&rig)?;
            }
            content.check()?;
        }
        // Backed up a second time while a part still is.
        faults.set(1)?;
        shrink_all()?;
        shrink_all()?;
        faults.set(7)?;
        content.check_by_gpu(&rig)?;
        content.check()
    })
}
