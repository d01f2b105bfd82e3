// SPDX-License-Identifier: GPL-2.0

//! Bytes in use of each region, to find leaks.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rgt::{Device, RegionKind};

/// The kernel gives memory back behind the scenes when jobs still used it, so what is in use may
/// take a moment to go down.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes in use of each region.
#[derive(Debug)]
pub(crate) struct Used(Vec<InUse>);

/// Bytes in use of a region.
#[derive(Debug)]
struct InUse {
    kind: RegionKind,
    all: u64,
    visible: u64,
}

impl Used {
    /// Returns the bytes in use now.
    pub(crate) fn now() -> Result<Self> {
        let regions = Device::open()?.regions()?;
        let used = |region: rgt::Region| InUse {
            kind: region.kind,
            all: region.used,
            visible: region.cpu_visible_used,
        };
        Ok(Self(regions.into_iter().map(used).collect()))
    }

    /// Waits until no more than this is in use again. It may be less: memory that was freed before
    /// this was made may have gone after it.
    pub(crate) fn wait_until_back(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::now()?;
            if now.0.iter().zip(&self.0).all(within) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("in use before: {:?}, now: {:?}", self.0, now.0);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn within((now, before): (&InUse, &InUse)) -> bool {
    now.kind == before.kind && now.all <= before.all && now.visible <= before.visible
}
