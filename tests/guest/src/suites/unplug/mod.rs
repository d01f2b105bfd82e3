// SPDX-License-Identifier: GPL-2.0

//! The driver loses the GPU while all of it is in use, and gets it back.

mod load;
mod way;

use anyhow::Context;

use super::reset::directory;
use super::unbind::works;
use crate::harness::{LONG, Length, Need, Outcome, Suite, Tag, tests};
use crate::rig::Rig;
use load::Load;
use way::Way;

pub(super) const SUITE: Suite = Suite {
    name: "unplug",
    needs: &[Need::LastOfBoot],
    tags: &[Tag::Long],
    tests: &[tests![LONG; under_load]],
};

fn under_load() -> Outcome {
    for round in 0..Length::choose(10, 1000) {
        let device = directory(&Rig::new()?.device)?;
        let way = Way::ALL[round as usize % Way::ALL.len()];
        let at = || format!("round {round}, {way:?}");
        let load = Load::new(round)?;
        load.is_running().with_context(at)?;
        let gone = way.take(&device).with_context(at)?;
        load.ends().with_context(at)?;
        gone.back().and_then(|()| works()).with_context(at)?;
    }
    Ok(())
}
