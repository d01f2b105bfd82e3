// SPDX-License-Identifier: GPL-2.0

//! GPUs that fail: pages of VRAM go bad, and then all of one stops answering.
//!
//! It is the second GPU of the machine that fails; nothing makes it whole again.

mod bad_pages;
mod gone;

use anyhow::Result;
use rgt::Device;

use crate::harness::{Need, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "lost",
    needs: &[Need::TwoGpus, Need::LastOfBoot],
    tags: &[],
    // After the last there is nothing left of it.
    tests: &[bad_pages::TESTS, gone::TESTS],
};

/// The device whose GPU fails, and its number among those of the device process.
fn failing() -> Result<(Device, usize)> {
    let nodes = Device::list()?;
    let [_, node] = &nodes[..] else {
        anyhow::bail!("two GPUs expected, {} found", nodes.len())
    };
    Ok((Device::open_path(node)?, 1))
}
