// SPDX-License-Identifier: GPL-2.0

//! Priorities: who may have them, and what they do.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use rgt::uapi::drm_rgt_ctx_create;
use rgt::{Context, Device, Priority, Syncobj, ioctl};
use rustix::io::Errno;

use super::tally::Tally;
use crate::expect::same;
use crate::harness::{End, Outcome, Test, in_child, tests};
use crate::peer::SwFence;
use crate::rig::{PAGE, Rig};

pub(super) const TESTS: &[Test] = tests![
    high_needs_a_capability,
    high_overtakes_low,
    changed_for_later_jobs,
];

/// The user `nobody`, who has no capabilities.
const NOBODY: libc::uid_t = 65534;

fn high_needs_a_capability() -> Outcome {
    let device = Device::open()?;
    let context = Context::create(&device, Priority::High)?;
    context.set_priority(Priority::High)?;
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
        // Nor do they get it later.
        if context
            .set_priority(Priority::High)
            .map_err(|err| err.errno())
            != Err(Some(Errno::ACCESS))
        {
            return 4;
        }
        if create(Priority::Normal).is_some() || create(Priority::Low).is_some() {
            return 3;
        }
        0
    })?;
    same("the end of one without it", end, End::Exit(0))
}

/// So many that some of their jobs always wait.
const CONTEXTS: u64 = 8;

/// When the context of the one job gets another priority: before or after that is submitted.
enum Change {
    No,
    Before(Priority),
    After(Priority),
}

/// Submits many jobs of several contexts of a priority, and one of a context of another, while the
/// engine is busy. Returns the number of the one job in the order in which they ran, and the highest
/// of the others.
fn order(others: Priority, one: Priority, change: Change) -> Result<(u64, u64)> {
    /// More than a ring has room for.
    const JOBS: u64 = 200;
    /// How long the engine is busy.
    const BUSY: Duration = Duration::from_millis(600);
    let rig = Rig::new()?;
    let tally = Tally::new(&rig, JOBS + 1)?;
    let others = (0..CONTEXTS)
        .map(|_| Context::create(&rig.device, others))
        .collect::<rgt::Result<Vec<_>>>()?;
    let one = Context::create(&rig.device, one)?;
    if let Change::Before(priority) = change {
        one.set_priority(priority)?;
    }
    let mut busy = rig.busy(rig.render, BUSY, |_| Ok(()))?;
    busy.settle()?;
    // All wait for the same.
    let begin = SwFence::new()?;
    let held = Syncobj::of_sync_file(&rig.device, begin.file())?;
    let submit = |context: &Context, number| -> Result<_> {
        let mut work = rig.work(rig.render)?;
        work.context(context);
        tally.count(&mut work, number)?;
        work.wait_for(held.sync());
        work.submit()?;
        Ok(work)
    };
    let mut works = (0..JOBS)
        .map(|number| submit(&others[(number % CONTEXTS) as usize], number))
        .collect::<Result<Vec<_>>>()?;
    works.push(submit(&one, JOBS)?);
    if let Change::After(priority) = change {
        one.set_priority(priority)?;
    }
    // The VM is changed after the jobs' own page-table entries are there: now nothing else holds
    // them.
    let spare = rig.gtt(PAGE)?;
    let _change = rig.vm.map(&spare)?;
    busy.again()?;
    // The engine has it by then.
    thread::sleep(BUSY / 4);
    begin.signal()?;
    works.iter_mut().try_for_each(|work| work.wait())?;
    busy.wait()?;
    same("jobs", tally.total(), JOBS + 1)?;
    let last = (0..JOBS).map(|number| tally.number(number)).max();
    Ok((tally.number(JOBS), last.unwrap_or_default()))
}

/// A job of high priority goes before those of low priority that are in the queue.
fn high_overtakes_low() -> Outcome {
    let (urgent, last) = order(Priority::Low, Priority::High, Change::No)?;
    ensure!(urgent < last, "the urgent job was number {urgent}");
    Ok(())
}

/// The priority of a context is that of the jobs that are submitted later. One of low priority comes
/// after the first of each other context at least, all of which wait by then. Later there may be none
/// that has asked for its turn yet when the engine has room.
fn changed_for_later_jobs() -> Outcome {
    let raise = Change::Before(Priority::High);
    let (raised, last) = order(Priority::Normal, Priority::Low, raise)?;
    ensure!(raised < last, "the raised job was number {raised}");
    let lower = Change::Before(Priority::Low);
    let (lowered, _) = order(Priority::Normal, Priority::High, lower)?;
    ensure!(lowered > CONTEXTS, "the lowered job was number {lowered}");
    let late = Change::After(Priority::High);
    let (queued, _) = order(Priority::Normal, Priority::Low, late)?;
    ensure!(queued > CONTEXTS, "the queued job was number {queued}");
    Ok(())
}
