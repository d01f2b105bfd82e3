// SPDX-License-Identifier: GPL-2.0

//! The events that tell of a recovery.

use std::time::Duration;

use super::Reset;
use crate::expect::same;
use crate::harness::{Control, Outcome, Test, tests};
use crate::peer::Uevents;
use crate::rig::{PATIENCE, Rig};

pub(super) const TESTS: &[Test] = tests![of_each_recovery];

/// The variable of the event.
pub(in crate::suites) const WEDGED: &str = "WEDGED";

/// One event for each reset, which says that nothing has to be done.
fn of_each_recovery() -> Outcome {
    let mut control = Control::open()?;
    let rig = Rig::new()?;
    let events = Uevents::new()?;
    let one = |what: &str| -> Outcome {
        same(what, events.next(WEDGED, PATIENCE)?.as_str(), "none")?;
        std::thread::sleep(Duration::from_millis(500));
        same(what, events.look(WEDGED)?, None)
    };

    for how in ["", " fatal"] {
        control.send(&format!("hang 0 {}{how}", rig.copy.id))?;
        let mut work = rig.work(rig.copy)?;
        work.commands.nop()?;
        work.run()?;
        one(&format!("a hang{how}"))?;
    }
    for reset in Reset::ALL {
        reset.perform(&mut control, &rig.device)?;
        rig.device.vram_generation()?;
        one(&format!("{reset:?}"))?;
    }
    Ok(())
}
