// SPDX-License-Identifier: MIT

//! Jobs that do nothing: what submitting them costs the thread that does it, and what each of them
//! costs the whole machine until it is done.

mod blocker;
mod case;
mod rate;

use anyhow::Result;
use rgt::{Bo, Context, Device, Job, Placement, Priority, Syncobj, Vm};

use crate::filler::Filler;
use crate::row::cost;
use blocker::Blocker;
use case::Case;

const COUNTS: [usize; 4] = [1, 10, 100, 1000];
/// Private BOs of a VM that has many.
const MANY_PRIVATE: usize = 4096;
/// Mappings of a VM that has many.
const MANY_MAPPINGS: usize = 10_000;
const BO_SIZE: u64 = 64 << 10;

/// Measures them.
pub(crate) fn run(device: &Device) -> Result<()> {
    let filler = Filler::start()?;
    let blocker = Blocker::new(device)?;
    let measure = |name: &str, case: Case| -> Result<()> {
        let found = case.measure(&filler, &blocker)?;
        cost(format_args!("{name}.call"), found.call);
        cost(format_args!("{name}.queued"), found.queued);
        cost(format_args!("{name}.alone"), found.alone);
        Ok(())
    };

    measure("empty", Case::new(&Vm::create(device)?)?)?;
    let context = Context::create(device, Priority::Normal)?;
    let of_context = |vm: &Vm| -> Result<Case> {
        let case = Case::new(vm)?;
        Ok(case.with(|job| job.context(&context)))
    };
    measure("context", of_context(&Vm::create(device)?)?)?;
    let (before, after) = (Syncobj::signalled(device)?, Syncobj::new(device)?);
    // In a chain, each waits for the one before it.
    let chain = Syncobj::signalled(device)?;
    type Change<'a> = &'a dyn Fn(Job) -> Job;
    let syncs: [(&str, Change<'_>); 3] = [
        ("in_sync", &|job| job.wait_for(before.sync())),
        ("out_sync", &|job| job.signal(after.sync())),
        ("chain", &|job| {
            job.wait_for(chain.sync()).signal(chain.sync())
        }),
    ];
    for (name, change) in syncs {
        let case = of_context(&Vm::create(device)?)?;
        measure(name, case.with(change))?;
    }

    for count in COUNTS {
        let vm = Vm::create(device)?;
        let named = of_context(&vm)?.bos(count, |bo| bo)?;
        measure(&format!("named.{count}"), named)?;
        // Those are part of every job of their VM.
        let vm = Vm::create(device)?;
        let private = of_context(&vm)?.bos(count, |bo| bo.private(&vm))?;
        measure(&format!("private.{count}"), private)?;
        let vm = Vm::create(device)?;
        let bound = of_context(&vm)?.bound(count)?;
        measure(&format!("bound.{count}"), bound)?;
    }
    let vm = Vm::create(device)?;
    let private =
        of_context(&vm)?.bos(MANY_PRIVATE, |bo| bo.private(&vm).placement(Placement::GTT))?;
    measure(&format!("private.{MANY_PRIVATE}"), private)?;
    for count in [1, MANY_MAPPINGS] {
        let mapped = of_context(&Vm::create(device)?)?.mapped(count)?;
        measure(&format!("mappings.{count}"), mapped)?;
    }
    rate::run(device, &filler, &blocker)
}

/// A BO that jobs use.
fn bo() -> rgt::BoBuilder {
    Bo::builder(BO_SIZE).placement(Placement::VRAM)
}
