// SPDX-License-Identifier: GPL-2.0

//! GPUs that fail: pages of VRAM go bad, and then all of one stops answering.
//!
//! They are the second and the third GPU of the machine; nothing makes them whole again.

mod asleep;
mod bad_pages;
mod gone;

use anyhow::{Result, ensure};
use rgt::Device;

use crate::harness::{Need, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "lost",
    needs: &[Need::ThreeGpus, Need::LastOfBoot],
    tags: &[],
    // After the last two there is nothing left of them.
    tests: &[bad_pages::TESTS, asleep::TESTS, gone::TESTS],
};

/// The device whose GPU fails, and its number among those of the device process.
fn failing() -> Result<(Device, usize)> {
    device(1)
}

/// The device whose GPU fails while it sleeps, and its number.
fn third() -> Result<(Device, usize)> {
    device(2)
}

fn device(number: usize) -> Result<(Device, usize)> {
    let nodes = Device::list()?;
    ensure!(
        nodes.len() == 3,
        "three GPUs expected, {} found",
        nodes.len()
    );
    Ok((Device::open_path(&nodes[number])?, number))
}
