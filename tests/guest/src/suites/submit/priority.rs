// SPDX-License-Identifier: GPL-2.0

//! Priorities: who may have them, and what they do.

use std::time::Duration;

use anyhow::{Result, ensure};
use rgt::uapi::drm_rgt_ctx_create;
use rgt::{Context, Device, Priority, ioctl};
use rustix::io::Errno;

use super::tally::Tally;
use crate::expect::same;
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::rig::Rig;

pub(super) const TESTS: &[Test] = tests![high_needs_a_capability, high_overtakes_low];

/// Somebody who is nobody.
const NOBODY: libc::uid_t = 65534;

fn high_needs_a_capability() -> Outcome {
    let device = Device::open()?;
    Context::create(&device, Priority::High)?;
    let create = |priority: Priority| {
        let mut request = drm_rgt_ctx_create {
            priority: priority as u32,
            ..Default::default()
        };
        ioctl::call(&device, &mut request).err()
    };
    let end = in_child(|| {
        // SAFETY: A system call about this process, which ends right after.
        if unsafe { libc::setuid(NOBODY) } != 0 {
            return 1;
        }
        if create(Priority::High) != Some(Errno::ACCESS) {
            return 2;
        }
        if create(Priority::Normal).is_some() || create(Priority::Low).is_some() {
            return 3;
        }
        0
    })?;
    same("the end of one without it", end, End::Exit(0))
}

/// A job of high priority goes before those of low priority that are in the queue.
fn high_overtakes_low() -> Outcome {
    const LOW: u64 = 200;
    let rig = Rig::new()?;
    let tally = Tally::new(&rig, LOW + 1)?;
    let [low, high] = [Priority::Low, Priority::High].map(|it| Context::create(&rig.device, it));
    let (low, high) = (low?, high?);
    let job = |context: &Context, number| -> Result<_> {
        let mut work = rig.work(rig.render)?;
        work.context(context);
        tally.count(&mut work, number)?;
        Ok(work)
    };
    let mut works: Vec<_> = (0..LOW)
        .map(|number| job(&low, number))
        .collect::<Result<_>>()?;
    let mut urgent = job(&high, LOW)?;
    let busy = rig.busy(rig.render, Duration::from_secs(3), |_| Ok(()))?;
    works.iter_mut().try_for_each(|work| work.submit())?;
    urgent.submit()?;
    ensure!(busy.runs()?, "the engine was not busy for long enough");
    urgent.wait()?;
    works.iter_mut().try_for_each(|work| work.wait())?;
    busy.wait()?;
    let (urgent, last) = (tally.number(LOW), tally.number(LOW - 1));
    ensure!(
        urgent < last,
        "the urgent job was number {urgent} of {}",
        LOW + 1
    );
    same("jobs", tally.total(), LOW + 1)
}
