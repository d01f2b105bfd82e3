// SPDX-License-Identifier: GPL-2.0

//! An error after which the link still works: nothing is reset, and nothing is lost.

use std::time::Duration;

use rgt::{Context, Priority};

use super::{Port, Severity};
use crate::expect::same;
use crate::harness::{Outcome, Test, tests};
use crate::peer::Uevents;
use crate::rig::{Kept, PAGE, Rig};
use crate::suites::reset::{WEDGED, verdict};

pub(super) const TESTS: &[Test] = tests![nothing_is_lost];

fn nothing_is_lost() -> Outcome {
    let rig = Rig::new()?;
    let kept = Kept::all(&rig)?;
    let told = || Ok::<_, rgt::Error>((rig.device.vram_generation()?, rig.device.reset_count()?));
    let before = told()?;
    let events = Uevents::new()?;

    for round in 1..4 {
        let context = Context::create(&rig.device, Priority::Normal)?;
        let bo = rig.visible(PAGE)?;
        let busy = rig.busy(rig.render, Duration::from_secs(4), |work| {
            work.context(&context);
            let at = work.writes(&bo)?;
            work.commands.write(at, &[round])?;
            Ok(())
        })?;
        Port::above(&rig.device)?
            .inject(Severity::NonFatal)?
            .recovers()?;
        same("the job runs on", busy.runs()?, true)?;
        busy.wait()?;
        same("what it wrote", bo.map()?.read(0), round)?;
        verdict("its context", &context, None, false)?;
        kept.iter().try_for_each(|kept| kept.check(&rig))?;
    }
    same("the generation and resets", told()?, before)?;
    same("an event of a reset", events.look(WEDGED)?, None)
}
