// SPDX-License-Identifier: GPL-2.0

//! The bus forgets the GPU while all of it is in use, and finds it again.

mod load;

use std::fs;

use anyhow::Context;

use super::reset::directory;
use super::unbind::works;
use crate::harness::{LONG, Length, Need, Outcome, Suite, Tag, tests};
use crate::rig::Rig;
use load::Load;

pub(super) const SUITE: Suite = Suite {
    name: "unplug",
    needs: &[Need::LastOfBoot],
    tags: &[Tag::Long],
    tests: &[tests![LONG; under_load]],
};

fn under_load() -> Outcome {
    for round in 0..Length::choose(10, 1000) {
        let device = directory(&Rig::new()?.device)?;
        let load = Load::new(round)?;
        fs::write(device.join("remove"), "1").context("remove")?;
        load.ends().with_context(|| format!("round {round}"))?;
        fs::write("/sys/bus/pci/rescan", "1").context("rescan")?;
        works()?;
    }
    Ok(())
}
