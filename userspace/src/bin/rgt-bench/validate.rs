// SPDX-License-Identifier: MIT

//! Submissions whose BOs are all where they should be.

use std::time::Duration;

use anyhow::Result;
use rgt::{Bo, BoBuilder, CommandBuffer, Device, EngineClass, Job, Placement, Vm};

use crate::clock::Samples;
use crate::row::cost;

const TIMES: usize = 101;
const PATIENCE: Duration = Duration::from_secs(30);
const COUNTS: [usize; 3] = [1, 10, 100];

/// Measures jobs that do nothing, with more and more BOs.
pub(crate) fn run(device: &Device) -> Result<()> {
    for count in COUNTS {
        let vm = Vm::create(device)?;
        measure(&vm, "named", count, |bo| bo)?;
        // Those are part of every job of their VM.
        let vm = Vm::create(device)?;
        measure(&vm, "private", count, |bo| bo.private(&vm))?;
    }
    Ok(())
}

fn measure(vm: &Vm, kind: &str, count: usize, make: impl Fn(BoBuilder) -> BoBuilder) -> Result<()> {
    let device = vm.device();
    let mut job = Job::new(vm, device.engine(EngineClass::Copy)?);
    let mut bos = Vec::new();
    for _ in 0..count {
        let bo = make(Bo::builder(64 << 10).placement(Placement::VRAM)).create(device)?;
        job = job.write(&bo);
        bos.push((vm.map(&bo)?, bo));
    }
    let mut commands = CommandBuffer::new(vm, 64)?;
    commands.nop()?;
    let job = job.ib(commands.take());
    // The first one moves all of them to VRAM.
    job.submit()?;
    commands.wait(PATIENCE)?;

    let mut samples = Samples::default();
    for _ in 0..TIMES {
        samples.time(|| job.submit())?;
        commands.wait(PATIENCE)?;
    }
    cost(format_args!("submit.{kind}.{count}"), samples.median());
    Ok(())
}
