// SPDX-License-Identifier: GPL-2.0

//! The content of a BO, in a form that both the CPU and the GPU can check.

use anyhow::Result;
use rgt::{Bo, checksum};

use crate::expect::same;
use crate::harness::Outcome;
use crate::rig::{Dice, Rig, noise};

/// BOs up to this size hold noise, and the CPU looks at each of their words.
const NOISE_MOST: u64 = 256 << 10;
/// Of a larger BO, the CPU looks at a word in this many bytes.
const STRIDE: usize = 4096;

/// A kind of content.
#[derive(Clone, Copy)]
enum Kind {
    /// The same word all over.
    Fill(u32),
    /// Noise from this seed.
    Noise(u32),
}

/// The content of a BO, and its checksum.
#[derive(Clone, Copy)]
pub(super) struct Content {
    kind: Kind,
    sum: u64,
}

impl Content {
    /// Writes something new into a BO, by the CPU or by the GPU.
    pub(super) fn write(rig: &Rig, bo: &Bo, dice: &mut Dice) -> Result<Self> {
        let seed = dice.roll();
        let dwords = (bo.size() / 4) as usize;
        let by_cpu = dice.below(2) == 0;
        if bo.size() <= NOISE_MOST {
            let data = noise(seed, dwords);
            if by_cpu {
                bo.map()?.write_slice(0, &data);
            } else {
                let staging = rig.gtt(bo.size())?;
                staging.map()?.write_slice(0, &data);
                rig.copy(&staging, bo)?;
            }
            return Ok(Self {
                kind: Kind::Noise(seed),
                sum: checksum::of_dwords(&data),
            });
        }
        if by_cpu {
            bo.map()?.fill(0..bo.size() as usize, seed);
        } else {
            rig.fill(bo, seed)?;
        }
        Ok(Self {
            kind: Kind::Fill(seed),
            sum: checksum::of_fill(seed, dwords as u64),
        })
    }

    /// Has the GPU sum the BO.
    pub(super) fn check_by_gpu(&self, rig: &Rig, bo: &Bo) -> Outcome {
        same("sum by the GPU", rig.checksum(bo)?, self.sum)
    }

    /// Has the CPU look at the BO.
    pub(super) fn check_by_cpu(&self, bo: &Bo) -> Outcome {
        let map = bo.map()?;
        let wrong = match self.kind {
            Kind::Noise(seed) => {
                let data = noise(seed, map.len() / 4);
                (0..data.len()).find(|index| map.read(index * 4) != data[*index])
            }
            Kind::Fill(pattern) => (0..map.len())
                .step_by(STRIDE)
                .map(|offset| offset / 4)
                .find(|index| map.read(index * 4) != pattern),
        };
        same("first wrong word for the CPU", wrong, None)
    }
}
