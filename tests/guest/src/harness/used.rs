// SPDX-License-Identifier: GPL-2.0

//! What is in use of each region, to find what was not given back.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rgt::{Device, RegionKind};

/// The kernel gives memory back behind the scenes when jobs still used it, so what is in use may
/// take a moment to go down.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes in use of each region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Used(Vec<(RegionKind, u64, u64)>);

impl Used {
    /// What is in use now.
    pub(crate) fn now() -> Result<Self> {
        let regions = Device::open()?.regions()?;
        let used = |region: rgt::Region| (region.kind, region.used, region.visible_used);
        Ok(Self(regions.into_iter().map(used).collect()))
    }

    /// Waits until exactly this much is in use again.
    pub(crate) fn wait_until_back(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::now()?;
            if now == *self {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("in use before: {:?}, now: {:?}", self.0, now.0);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}
