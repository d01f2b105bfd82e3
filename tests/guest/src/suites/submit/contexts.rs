// SPDX-License-Identifier: GPL-2.0

//! Contexts: what they are made of, and the order of their jobs.

use std::time::Duration;

use anyhow::Result;
use rgt::uapi::{drm_rgt_cs, drm_rgt_cs_ib, drm_rgt_ctx_create, drm_rgt_ctx_destroy};
use rgt::{Context, Device, Priority};
use rustix::io::Errno;

use super::tally::Tally;
use crate::expect::{fails, raw, refused, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::Rig;

pub(super) const TESTS: &[Test] = tests![
    arguments,
    many,
    of_another_client,
    good_when_new,
    jobs_run_in_order,
    destroyed_while_jobs_run,
];

fn arguments() -> Outcome {
    let device = Device::open()?;
    let with = |change: fn(&mut drm_rgt_ctx_create)| {
        let mut request = drm_rgt_ctx_create::default();
        change(&mut request);
        request
    };
    refused(
        &device,
        [
            ("priority", Errno::INVAL, with(|it| it.priority = 3)),
            ("flags", Errno::INVAL, with(|it| it.flags = 1)),
            ("pad", Errno::INVAL, with(|it| it.pad = 1)),
            ("extensions", Errno::INVAL, with(|it| it.extensions = 1)),
        ],
    )?;
    let made = raw(&device, drm_rgt_ctx_create::default())?;
    let destroy = |ctx_id, pad| drm_rgt_ctx_destroy { ctx_id, pad };
    refused(
        &device,
        [
            ("the default one", Errno::NOENT, destroy(0, 0)),
            ("none", Errno::NOENT, destroy(made.ctx_id + 1, 0)),
            ("pad", Errno::INVAL, destroy(made.ctx_id, 1)),
        ],
    )?;
    raw(&device, destroy(made.ctx_id, 0))?;
    refused(&device, [("twice", Errno::NOENT, destroy(made.ctx_id, 0))])
}

/// Makes and destroys contexts; numbers are used again only once they are free.
fn many() -> Outcome {
    let device = Device::open()?;
    let mut contexts = Vec::new();
    for _ in 0..200 {
        contexts.push(Context::create(&device, Priority::Normal)?);
    }
    let mut numbers: Vec<u32> = contexts.iter().map(Context::id).collect();
    numbers.sort_unstable();
    numbers.dedup();
    same("numbers", numbers.len(), contexts.len())?;
    same("the number 0 is taken", numbers[0] > 0, true)
}

fn of_another_client() -> Outcome {
    let (rig, other) = (Rig::new()?, Rig::new()?);
    let theirs = Context::create(&other.device, Priority::Normal)?;
    let ib = drm_rgt_cs_ib {
        addr: 0,
        dwords: 1,
        flags: 0,
    };
    let request = |ctx_id| drm_rgt_cs {
        vm_id: rig.vm.id(),
        ctx_id,
        engine: rig.copy.id,
        ib_count: 1,
        ibs: &raw const ib as u64,
        ..Default::default()
    };
    let number = theirs.id();
    refused(&rig.device, [("a job", Errno::NOENT, request(number))])?;
    fails("a query", Errno::NOENT, rig.device.context_status(number))
}

fn good_when_new() -> Outcome {
    let rig = Rig::new()?;
    let context = Context::create(&rig.device, Priority::Low)?;
    let status = context.status()?;
    same("cause", status.cause, None)?;
    same(
        "guilt and resets",
        (status.guilty, status.resets),
        (false, 0),
    )?;
    // A number that no context has.
    let id = context.id();
    drop(context);
    fails(
        "one that is gone",
        Errno::NOENT,
        rig.device.context_status(id),
    )
}

/// Jobs of a context on one engine run one after the other, whatever others do meanwhile.
fn jobs_run_in_order() -> Outcome {
    const JOBS: u64 = 30;
    const CONTEXTS: u64 = 3;
    let rig = Rig::new()?;
    for engine in rig.device.engines() {
        let tally = Tally::new(&rig, JOBS * CONTEXTS)?;
        let contexts: Vec<_> = (0..CONTEXTS)
            .map(|_| Context::create(&rig.device, Priority::Normal))
            .collect::<rgt::Result<_>>()?;
        let busy = rig.busy(*engine, Duration::from_millis(200), |_| Ok(()))?;
        let mut works = Vec::new();
        for job in 0..JOBS * CONTEXTS {
            let mut work = rig.work(*engine)?;
            work.context(&contexts[(job % CONTEXTS) as usize]);
            tally.count(&mut work, job)?;
            work.submit()?;
            works.push(work);
        }
        works.iter_mut().try_for_each(|work| work.wait())?;
        busy.wait()?;
        for context in 0..CONTEXTS {
            let numbers: Vec<_> = (0..JOBS)
                .map(|job| tally.number(job * CONTEXTS + context))
                .collect();
            same("not in order", numbers.is_sorted_by(|a, b| a < b), true)?;
        }
        same("jobs", tally.total(), JOBS * CONTEXTS)?;
    }
    Ok(())
}

fn destroyed_while_jobs_run() -> Outcome {
    const JOBS: u64 = 40;
    let rig = Rig::new()?;
    let tally = Tally::new(&rig, JOBS)?;
    let busy = rig.busy(rig.render, Duration::from_millis(300), |_| Ok(()))?;
    let mut works: Vec<_> = (0..JOBS)
        .map(|job| {
            let context = Context::create(&rig.device, Priority::Normal)?;
            let mut work = rig.work(rig.render)?;
            work.context(&context);
            tally.count(&mut work, job)?;
            work.submit()?;
            // What the test drops is the job's own hold on it.
            work.job = rgt::Job::new(&rig.vm, rig.render);
            Ok(work)
        })
        .collect::<Result<_>>()?;
    works.iter_mut().try_for_each(|work| work.wait())?;
    busy.wait()?;
    same("jobs", tally.total(), JOBS)
}
