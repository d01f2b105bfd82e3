// SPDX-License-Identifier: GPL-2.0

//! Use of more VRAM than there is, so that everything else is evicted again and again.

use anyhow::{Context, Result};
use rgt::{Bo, BoFlags, Device, Placement, RegionKind};

use super::{MIB, Make, Rig};

const CHUNK: u64 = 8 * MIB;

/// BOs that fill all of VRAM, of a client of their own.
pub(crate) struct Pressure {
    rig: Rig,
    bos: Vec<Bo>,
}

impl Pressure {
    /// Makes them; they need nothing yet.
    pub(crate) fn new() -> Result<Self> {
        Self::on(&Device::open()?)
    }

    /// As above, on one of several GPUs.
    pub(crate) fn on(device: &Device) -> Result<Self> {
        let rig = Rig::on(device)?;
        let vram = device.region(RegionKind::Vram)?.context("there is VRAM")?;
        let mut bos = Vec::new();
        // The window is part of it, so that BOs that need to be there are evicted, too.
        let kinds: [(u64, Make); 2] = [
            (vram.cpu_visible_size, |bo| {
                bo.placement(Placement::VRAM).flags(BoFlags::CPU_ACCESS)
            }),
            (vram.size, |bo| bo.placement(Placement::VRAM)),
        ];
        for (size, make) in kinds {
            for _ in 0..size.div_ceil(CHUNK) {
                bos.push(rig.bo(CHUNK, make)?);
            }
        }
        Ok(Self { rig, bos })
    }

    /// Uses each of them once.
    pub(crate) fn round(&self) -> Result<()> {
        self.bos.iter().try_for_each(|bo| {
            let mut work = self.rig.work(self.rig.copy)?;
            let to = work.writes(bo)?;
            work.commands.write(to, &[1])?;
            work.run()
        })
    }
}
