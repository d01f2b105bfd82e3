// SPDX-License-Identifier: GPL-2.0

//! The CPU uses a BO that is evicted under it.

use anyhow::ensure;
use rgt::{Bo, Mapping};

use super::{pressure, under};
use crate::expect::each;
use crate::harness::Outcome;
use crate::rig::{HIDDEN, MIB, PAGE, Rig, SHARED};

/// Kinds of BOs that pressure on VRAM evicts.
fn evicted() -> impl Iterator<Item = (&'static str, crate::rig::Make)> {
    let [visible, _, _, either] = SHARED;
    [visible, either, ("hidden VRAM", HIDDEN)].into_iter()
}

/// Every page of a BO holds what was last written there.
struct Pages<'a> {
    map: &'a Mapping,
    round: u32,
}

impl Pages<'_> {
    /// Sees that the last round is whole, and writes the next one.
    fn next(&mut self) -> Outcome {
        for offset in (0..self.map.len()).step_by(PAGE as usize) {
            let tag = (offset as u32) << 8;
            let got = self.map.read(offset);
            ensure!(
                got == tag | self.round & 0xff,
                "page {}: expected round {:#x}, got {got:#x}",
                offset / PAGE as usize,
                self.round & 0xff
            );
            self.map.write(offset, tag | (self.round + 1) & 0xff);
        }
        self.round += 1;
        Ok(())
    }
}

/// A BO of which every page holds its tag and the round 0.
fn tagged(bo: &Bo) -> rgt::Result<Mapping> {
    let map = bo.map()?;
    for offset in (0..map.len()).step_by(PAGE as usize) {
        map.write(offset, (offset as u32) << 8);
    }
    Ok(map)
}

/// A thread writes all the time through one mapping.
pub(super) fn written() -> Outcome {
    let rig = Rig::new()?;
    let pressure = pressure()?;
    each(evicted(), |make| {
        let map = tagged(&rig.bo(2 * MIB, make)?)?;
        let mut pages = Pages {
            map: &map,
            round: 0,
        };
        under(&pressure, || pages.next())
    })
}

/// A thread maps the BO anew every time, so that all of its pages are faulted in.
pub(super) fn faulted_in() -> Outcome {
    let rig = Rig::new()?;
    let pressure = pressure()?;
    each(evicted(), |make| {
        let bo = rig.bo(2 * MIB, make)?;
        drop(tagged(&bo)?);
        let mut round = 0;
        under(&pressure, || {
            let map = bo.map()?;
            let mut pages = Pages { map: &map, round };
            pages.next()?;
            round = pages.round;
            Ok(())
        })
    })
}
