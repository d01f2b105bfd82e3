// SPDX-License-Identifier: GPL-2.0

//! An error above a GPU that sleeps: the kernel wakes it before it recovers it.

use super::{Port, Severity};
use crate::harness::{Outcome, Test, tests};
use crate::rig::{Kept, Rig};
use crate::suites::runtime_pm::{Auto, SHORT};

pub(super) const TESTS: &[Test] = tests![while_it_sleeps];

/// What was in VRAM is in pages, which no reset touches.
fn while_it_sleeps() -> Outcome {
    let rig = Rig::new()?;
    let kept = Kept::all(&rig)?;
    let auto = Auto::after(&rig.device, SHORT)?;

    for severity in [Severity::NonFatal, Severity::Fatal].repeat(2) {
        auto.falls_asleep()?;
        auto.wakes("an error", || {
            Port::above(&rig.device)?.inject(severity)?.recovers()
        })?;
        kept.iter().try_for_each(|kept| kept.check(&rig))?;
    }
    Ok(())
}
