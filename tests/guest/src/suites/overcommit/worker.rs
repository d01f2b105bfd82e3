// SPDX-License-Identifier: GPL-2.0

//! One of the processes: it fills its share, and then moves, rewrites and checks what it has.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rgt::{Bo, BoFlags, Placement, RegionKind};

use super::content::Content;
use crate::harness::Outcome;
use crate::rig::{Dice, HIDDEN, Make, PAGE, Rig};

/// BOs that may be in VRAM, and how: often enough nowhere else.
const MAKES: [(&str, Make); 7] = [
    ("VRAM", |bo| bo.placement(Placement::VRAM)),
    ("hidden VRAM", HIDDEN),
    ("visible VRAM", |bo| {
        bo.placement(Placement::VRAM).flags(BoFlags::CPU_ACCESS)
    }),
    ("contiguous VRAM", |bo| {
        bo.placement(Placement::VRAM).flags(BoFlags::CONTIGUOUS)
    }),
    ("VRAM or GTT", |bo| {
        bo.placement(Placement::VRAM | Placement::GTT)
    }),
    ("scratchpad or VRAM", |bo| {
        bo.placement(Placement::SCRATCHPAD | Placement::VRAM)
    }),
    ("GTT", |bo| bo.placement(Placement::GTT)),
];

/// Runs a worker: arguments are a seed, milliseconds, bytes, and how many there are.
pub(crate) fn work(arguments: &[&str]) -> Outcome {
    let [seed, millis, share, count] = arguments else {
        anyhow::bail!("expected a seed, milliseconds, bytes and a count")
    };
    let count: u64 = count.parse()?;
    let rig = Rig::new()?;
    let vram = rig.device.region(RegionKind::Vram)?;
    // Each process has two in use at once, which must be visible and fit.
    let most = vram.context("there is VRAM")?.cpu_visible_size / (2 * count);
    let mut worker = Worker {
        rig,
        dice: Dice::new(seed.parse()?),
        held: Vec::new(),
        bytes: 0,
        share: share.parse()?,
        most,
    };
    while worker.bytes < worker.share {
        worker.add()?;
    }
    let end = Instant::now() + Duration::from_millis(millis.parse()?);
    while Instant::now() < end {
        worker.step()?;
    }
    worker
        .held
        .iter()
        .try_for_each(|held| held.check(&worker.rig, true))
}

/// A BO and what is in it.
struct Held {
    bo: Bo,
    made: &'static str,
    content: Content,
}

impl Held {
    fn check(&self, rig: &Rig, by_gpu: bool) -> Outcome {
        let checked = match by_gpu {
            true => self.content.check_by_gpu(rig, &self.bo),
            false => self.content.check_by_cpu(&self.bo),
        };
        checked.with_context(|| format!("{}, {} KiB", self.made, self.bo.size() >> 10))
    }
}

struct Worker {
    rig: Rig,
    dice: Dice,
    held: Vec<Held>,
    bytes: u64,
    share: u64,
    /// Size of the largest BOs.
    most: u64,
}

impl Worker {
    /// Does something to a BO, or puts another one in its place.
    fn step(&mut self) -> Outcome {
        let index = self.dice.below(self.held.len() as u32) as usize;
        match self.dice.below(6) {
            0 | 1 => self.held[index].check(&self.rig, true),
            2 => self.held[index].check(&self.rig, false),
            3 => self.rewrite(index),
            4 => self.move_one(index),
            _ => {
                let held = self.held.swap_remove(index);
                self.bytes -= held.bo.size();
                drop(held);
                while self.bytes < self.share {
                    self.add()?;
                }
                Ok(())
            }
        }
    }

    /// Most are large, which is what fills VRAM; one in four is of any size from a page on. One in
    /// eight is in GTT for sure.
    fn make(&mut self, size: Option<u64>) -> Result<(&'static str, Bo)> {
        let size = size.unwrap_or_else(|| {
            let shift = match self.dice.below(4) {
                0 => self.dice.below((self.most / PAGE).ilog2() + 1),
                _ => self.dice.below(2),
            };
            let pages = (self.most >> shift) / PAGE;
            PAGE * (pages - u64::from(self.dice.roll()) % pages.div_ceil(2))
        });
        let kind = match self.dice.below(8) {
            0 => MAKES.len() - 1,
            _ => self.dice.below(MAKES.len() as u32 - 1) as usize,
        };
        let (name, make) = MAKES[kind];
        Ok((name, self.rig.bo(size, make)?))
    }

    fn add(&mut self) -> Outcome {
        let (made, bo) = self.make(None)?;
        let content = Content::write(&self.rig, &bo, &mut self.dice).context(made)?;
        self.bytes += bo.size();
        self.held.push(Held { bo, made, content });
        Ok(())
    }

    fn rewrite(&mut self, index: usize) -> Outcome {
        let held = &mut self.held[index];
        held.content = Content::write(&self.rig, &held.bo, &mut self.dice).context(held.made)?;
        Ok(())
    }

    /// Copies a BO to one made in another way, which takes its place.
    fn move_one(&mut self, index: usize) -> Outcome {
        let (made, bo) = self.make(Some(self.held[index].bo.size()))?;
        let held = &mut self.held[index];
        self.rig.copy(&held.bo, &bo).context(made)?;
        (held.bo, held.made) = (bo, made);
        held.check(&self.rig, true)
    }
}
