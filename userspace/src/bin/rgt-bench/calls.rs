// SPDX-License-Identifier: MIT

//! Single calls, and a page fault.

use anyhow::Result;
use drm::{Device as _, DriverCapability};
use rgt::{Bo, Device, Placement, WaitFor};

use crate::clock::Samples;
use crate::row::cost;

const TIMES: usize = 1001;
const SIZE: u64 = 64 << 10;

/// Measures them.
pub(crate) fn run(device: &Device) -> Result<()> {
    let mut nothing = Samples::default();
    for _ in 0..TIMES {
        nothing.time(|| device.get_driver_capability(DriverCapability::Prime))?;
    }
    cost("call.nothing", nothing.median());

    let bo = Bo::builder(SIZE)
        .placement(Placement::VRAM)
        .create(device)?;
    bo.map()?.write(0, 1);
    let mut wait = Samples::default();
    for _ in 0..TIMES {
        wait.time(|| bo.is_idle(WaitFor::All))?;
    }
    cost("call.wait_idle", wait.median());

    for (name, placement) in [
        ("vram", Placement::VRAM),
        ("gtt", Placement::GTT),
        ("system", Placement::SYSTEM),
    ] {
        let bo = Bo::builder(SIZE).placement(placement).create(device)?;
        // Its backing must not count.
        bo.map()?.write(0, 1);
        let mut fault = Samples::default();
        for _ in 0..TIMES {
            let map = bo.map()?;
            fault.time(|| map.write(0, 1));
        }
        cost(format_args!("fault.{name}"), fault.median());
    }
    Ok(())
}
