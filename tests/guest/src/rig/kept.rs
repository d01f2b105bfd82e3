// SPDX-License-Identifier: GPL-2.0

//! BOs whose content has to be there later.

use anyhow::Result;
use rgt::Bo;

use super::{HIDDEN, MIB, Make, Rig, SHARED, noise};
use crate::expect::content_is;
use crate::harness::Outcome;

/// A BO of 1 MiB that has content.
pub(crate) struct Kept {
    pub(crate) bo: Bo,
    pub(crate) content: Vec<u32>,
}

impl Kept {
    /// A BO full of noise from a seed, which the GPU has copied there.
    pub(crate) fn new(rig: &Rig, make: Make, seed: u32) -> Result<Self> {
        let content = noise(seed, MIB as usize / 4);
        let source = rig.gtt(MIB)?;
        source.map()?.write_slice(0, &content);
        let bo = rig.bo(MIB, make)?;
        rig.copy(&source, &bo)?;
        Ok(Self { bo, content })
    }

    /// One of each kind, the last of them in VRAM that the CPU does not see.
    pub(crate) fn all(rig: &Rig) -> Result<Vec<Self>> {
        (1..)
            .zip([SHARED[0].1, SHARED[1].1, SHARED[2].1, SHARED[3].1, HIDDEN])
            .map(|(seed, make)| Self::new(rig, make, seed))
            .collect()
    }

    /// Byte for byte, as the CPU reads it.
    pub(crate) fn is_seen_by_the_cpu(&self) -> Outcome {
        content_is("a mapping", &self.bo.map()?, &self.content)
    }

    /// Byte for byte, as the GPU reads it.
    pub(crate) fn check(&self, rig: &Rig) -> Outcome {
        let target = rig.gtt(MIB)?;
        rig.copy(&self.bo, &target)?;
        content_is("a BO", &target.map()?, &self.content)
    }
}
