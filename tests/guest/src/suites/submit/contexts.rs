// SPDX-License-Identifier: GPL-2.0

//! Contexts: what they are made of, and the order of their jobs.

use std::time::Duration;

use anyhow::Result;
use rgt::uapi::{
    DRM_RGT_CTX_PROPERTY_PRIORITY, drm_rgt_array, drm_rgt_cs, drm_rgt_cs_ib, drm_rgt_ctx_create,
    drm_rgt_ctx_destroy, drm_rgt_ctx_set_property,
};
use rgt::{Context, Device, Priority};
use rustix::io::Errno;

use super::tally::Tally;
use crate::arguments::{refused, undefined_flags};
use crate::expect::{call, fails, raw, same};
use crate::harness::{Outcome, Test, tests};
use crate::rig::Rig;

pub(super) const TESTS: &[Test] = tests![
    arguments,
    arguments_of_properties,
    many,
    of_another_client,
    good_when_new,
    jobs_run_in_order,
    destroyed_while_jobs_run,
];

fn arguments() -> Outcome {
    let device = Device::open()?;
    let create = drm_rgt_ctx_create::default();
    let made = refused(
        &device,
        create,
        &[
            ("priority 3", &|it| it.priority = 3, Errno::INVAL),
            ("priority -1", &|it| it.priority = u32::MAX, Errno::INVAL),
            ("pad", &|it| it.pad = 1, Errno::INVAL),
            ("extensions", &|it| it.extensions = 1, Errno::INVAL),
        ],
    )?;
    undefined_flags(&device, create, 0, |it, flag| it.flags = flag)?;
    let destroy = drm_rgt_ctx_destroy {
        ctx_id: made.ctx_id,
        pad: 0,
    };
    refused(
        &device,
        destroy,
        &[
            ("the default one", &|it| it.ctx_id = 0, Errno::NOENT),
            ("an unknown one", &|it| it.ctx_id += 1, Errno::NOENT),
            ("pad", &|it| it.pad = 1, Errno::INVAL),
        ],
    )?;
    fails("twice", Errno::NOENT, raw(&device, destroy))
}

fn arguments_of_properties() -> Outcome {
    let device = Device::open()?;
    let context = Context::create(&device, Priority::Normal)?;
    let set = drm_rgt_ctx_set_property {
        ctx_id: context.id(),
        property: DRM_RGT_CTX_PROPERTY_PRIORITY,
        value: Priority::Low as u64,
        extensions: 0,
    };
    refused(
        &device,
        set,
        &[
            ("an unknown one", &|it| it.ctx_id += 1, Errno::NOENT),
            ("property 1", &|it| it.property = 1, Errno::INVAL),
            ("priority 3", &|it| it.value = 3, Errno::INVAL),
            ("priority 1 << 32", &|it| it.value = 1 << 32, Errno::INVAL),
            ("extensions", &|it| it.extensions = 1, Errno::INVAL),
        ],
    )?;
    // The default context has a priority, too.
    let mut default = set;
    default.ctx_id = 0;
    Ok(call(&device, &mut default)?)
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
        ibs: drm_rgt_array::of(std::slice::from_ref(&ib)),
        ..Default::default()
    };
    let number = theirs.id();
    let job = raw(&rig.device, request(number));
    fails("a job", Errno::NOENT, job)?;
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
            // The test drops the job's reference to it.
            work.job = rgt::Job::new(&rig.vm, rig.render);
            Ok(work)
        })
        .collect::<Result<_>>()?;
    works.iter_mut().try_for_each(|work| work.wait())?;
    busy.wait()?;
    same("jobs", tally.total(), JOBS)
}
