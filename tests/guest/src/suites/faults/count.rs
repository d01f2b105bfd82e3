// SPDX-License-Identifier: GPL-2.0

//! How many faults it takes to touch all of a BO.

use anyhow::ensure;

use super::{faults_of, is_touched, touch};
use crate::expect::{each, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{MIB, PAGE, Rig, SHARED};

pub(super) const TESTS: &[Test] = tests![
    one_maps_the_neighbours,
    in_the_middle,
    random_maps_one_page,
    front_only
];

/// Other faults meanwhile: those on the program's own pages.
const SLACK: i64 = 6;

fn one_maps_the_neighbours() -> Outcome {
    let rig = Rig::new()?;
    each(SHARED, |make| {
        let bo = rig.bo(MIB, make)?;
        let map = bo.map()?;
        let count = faults_of(|| touch(&map));
        // The mapping may lie across a boundary of 2 MiB.
        ensure!(count <= 2 + SLACK, "{count} faults for 256 pages");
        ensure!(is_touched(&map), "a page has lost its content");
        same("sum", rig.checksum(&bo)?, map.checksum(0..map.len()))
    })
}

/// The neighbours before a page count as well.
fn in_the_middle() -> Outcome {
    let rig = Rig::new()?;
    each(SHARED, |make| {
        let bo = rig.bo(MIB, make)?;
        let map = bo.map()?;
        map.write(MIB as usize / 2, 1);
        let count = faults_of(|| touch(&map));
        ensure!(count <= 2 + SLACK, "{count} faults after one in the middle");
        ensure!(is_touched(&map), "a page has lost its content");
        Ok(())
    })
}

fn random_maps_one_page() -> Outcome {
    let rig = Rig::new()?;
    each(SHARED, |make| {
        let bo = rig.bo(MIB, make)?;
        let map = bo.map()?;
        // SAFETY: The advice changes no content.
        let result = unsafe { libc::madvise(map.as_ptr().cast(), map.len(), libc::MADV_RANDOM) };
        same("madvise", result, 0)?;
        let count = faults_of(|| touch(&map));
        ensure!(count >= 256, "{count} faults for 256 pages at random");
        ensure!(is_touched(&map), "a page has lost its content");
        Ok(())
    })
}

/// A mapping may end before its BO does.
fn front_only() -> Outcome {
    let rig = Rig::new()?;
    each(SHARED, |make| {
        let bo = rig.bo(MIB, make)?;
        let map = bo.map_front(3 * PAGE as usize)?;
        touch(&map);
        ensure!(is_touched(&map), "a page has lost its content");
        Ok(())
    })
}
