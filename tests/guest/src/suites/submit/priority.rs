// SPDX-License-Identifier: GPL-2.0

//! Priorities: who may have them, and what they do.

use anyhow::{Result, ensure};
use rgt::uapi::drm_rgt_ctx_create;
use rgt::{Context, Device, Priority, Syncobj, ioctl};
use rustix::io::Errno;

use super::tally::Tally;
use crate::expect::same;
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::peer::SwFence;
use crate::rig::{PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![high_needs_a_capability, high_overtakes_low];

/// The user `nobody`, who has no capabilities.
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
    /// More than a ring has room for.
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
    // Both queues wait for the same.
    let begin = SwFence::new()?;
    let held = Syncobj::of_sync_file(&rig.device, begin.file())?;
    let mut works: Vec<_> = (0..LOW)
        .map(|number| {
            let mut work = job(&low, number)?;
            work.wait_for(held.sync());
            work.submit()?;
            Ok(work)
        })
        .collect::<Result<_>>()?;
    let mut urgent = job(&high, LOW)?;
    urgent.wait_for(held.sync());
    urgent.submit()?;
    // The VM is changed after the jobs' own page-table entries are there: now nothing else holds
    // them.
    let spare = rig.gtt(PAGE)?;
    let _change = rig.vm.map(&spare)?;
    begin.signal()?;
    urgent.wait()?;
    works.iter_mut().try_for_each(|work| work.wait())?;
    let (urgent, last) = (tally.number(LOW), tally.number(LOW - 1));
    ensure!(
        urgent < last,
        "the urgent job was number {urgent} of {}",
        LOW + 1
    );
    same("jobs", tally.total(), LOW + 1)
}
