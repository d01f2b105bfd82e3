// SPDX-License-Identifier: MIT

//! Device time of copies from the VRAM of one GPU to that of another.

use std::time::Duration;

use anyhow::{Result, ensure};
use rgt::abi::cost;
use rgt::{Bo, CommandBuffer, Device, EngineClass, Job, Placement, Vm, WaitFor};

use super::both;
use crate::row::row;

const SIZE: u64 = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures one copy by a GPU that reads the other's VRAM, one by a GPU that writes it, and two by
/// way of system memory, each GPU making one.
pub(crate) fn run() -> Result<()> {
    let [first, second] = both()?;
    let source = local(&first)?;
    let target = local(&second)?;

    let peer = import(&source, &second)?;
    let read = copy(&peer, &target)?;
    let peer = import(&target, &first)?;
    let written = copy(&source, &peer)?;
    for (bo, device) in [(&source, "first"), (&target, "second")] {
        let place = bo.info()?.current_placement;
        ensure!(
            place == Placement::VRAM,
            "the BO of the {device} GPU is in {place:?}: they are no peers"
        );
    }

    let stage = Bo::builder(SIZE).placement(Placement::GTT).create(&first)?;
    let staged = copy(&source, &stage)? + copy(&import(&stage, &second)?, &target)?;

    for (name, time) in [("read", read), ("write", written), ("staged", staged)] {
        let bandwidth = u128::from(SIZE) * 1000 / time.as_nanos().max(1);
        row(format_args!("copy.{name}"), bandwidth, "bytes/us");
    }
    row("copy.peak", cost::PEER_BANDWIDTH, "bytes/us");
    Ok(())
}

/// A BO for VRAM, which others that cannot reach it find in GTT.
fn local(device: &Device) -> Result<Bo> {
    Ok(Bo::builder(SIZE)
        .placement(Placement::VRAM | Placement::GTT)
        .create(device)?)
}

fn import(bo: &Bo, device: &Device) -> Result<Bo> {
    Ok(Bo::import(device, bo.export()?)?)
}

/// Device time of a copy on the GPU that both BOs are of, each where it belongs.
fn copy(from: &Bo, to: &Bo) -> Result<Duration> {
    let device = from.device();
    let engine = device.engine(EngineClass::Copy)?;
    let vm = Vm::create(device)?;
    let (source, target) = (vm.map(from)?, vm.map(to)?);
    let mut commands = CommandBuffer::new(&vm, 64)?;
    let mut run = || -> Result<()> {
        commands.copy(source.addr(), target.addr(), SIZE)?;
        let job = Job::new(&vm, engine).ib(commands.take());
        job.read(from).write(to).submit()?;
        Ok(to.wait(PATIENCE, WaitFor::All)?)
    };
    // The first one may have to bring them there.
    run()?;
    let before = device.busy(engine)?;
    run()?;
    Ok(device.busy(engine)?.saturating_sub(before))
}
