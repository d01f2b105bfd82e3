// SPDX-License-Identifier: GPL-2.0

//! A GPU goes while it sleeps.

use std::fs;

use anyhow::Context as _;
use rustix::io::Errno;

use super::auto::{Auto, SHORT};
use crate::expect::fails;
use crate::harness::{Outcome, Test, tests};
use crate::rig::{Kept, Rig};
use crate::suites::reset::directory;
use crate::suites::unbind::works;

pub(super) const TESTS: &[Test] = tests![removed_by_the_bus];

fn removed_by_the_bus() -> Outcome {
    for _ in 0..2 {
        let rig = Rig::new()?;
        let kept = Kept::all(&rig)?;
        let dir = directory(&rig.device)?;
        let auto = Auto::after(&rig.device, SHORT)?;
        auto.falls_asleep()?;
        fs::write(dir.join("remove"), "1").context("remove")?;
        fails("a query", Errno::NODEV, rig.device.regions())?;
        drop((kept, rig, auto));
        fs::write("/sys/bus/pci/rescan", "1").context("rescan")?;
        works()?;
    }
    Ok(())
}
