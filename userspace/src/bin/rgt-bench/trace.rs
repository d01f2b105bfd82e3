// SPDX-License-Identifier: MIT

//! More BOs than VRAM has room for, used in turn.

use std::time::Duration;

use anyhow::{Context, Result};
use rgt::abi::cost;
use rgt::{
    Binding, Bo, CommandBuffer, Device, Engine, EngineClass, Job, Placement, RegionKind, Vm,
};

use crate::places::Places;
use crate::row::row;

const PATIENCE: Duration = Duration::from_secs(60);
const CHUNK: u64 = 4 << 20;
/// How often all BOs are used.
const ROUNDS: u64 = 5;

/// BOs that are used in turn.
struct Working {
    engine: Engine,
    commands: CommandBuffer,
    bindings: Vec<Binding>,
    bos: Vec<Bo>,
}

impl Working {
    /// BOs that need this much of VRAM, in percent.
    fn new(device: &Device, percent: u64, placement: Placement) -> Result<Self> {
        let vram = device.region(RegionKind::Vram)?.context("there is VRAM")?;
        let vm = Vm::create(device)?;
        let (mut bindings, mut bos) = (Vec::new(), Vec::new());
        for _ in 0..(vram.size * percent / 100).div_ceil(CHUNK) {
            let bo = Bo::builder(CHUNK).placement(placement).create(device)?;
            bindings.push(vm.map(&bo)?);
            bos.push(bo);
        }
        Ok(Self {
            engine: device.engine(EngineClass::Render)?,
            commands: CommandBuffer::new(&vm, 1 << 10)?,
            bindings,
            bos,
        })
    }

    /// Runs a job that writes a word of the BO.
    fn use_one(&mut self, index: usize) -> Result<()> {
        let (bo, at) = (&self.bos[index], self.bindings[index].addr());
        if self.commands.room() < 16 {
            self.commands.reset(PATIENCE)?;
        }
        self.commands.write(at, &[index as u32])?;
        let ib = self.commands.take();
        Job::new(self.commands.vm(), self.engine)
            .ib(ib)
            .write(bo)
            .submit()?;
        Ok(self.commands.wait(PATIENCE)?)
    }

    /// Uses each BO once, and counts what that moves.
    fn round(&mut self, places: &mut Places) -> Result<()> {
        for index in 0..self.bos.len() {
            self.use_one(index)?;
            places.look(&self.bos)?;
        }
        Ok(())
    }
}

/// Bytes that cyclic use of 110 % of VRAM moves. A policy that takes the longest unused BO moves
/// every BO out and in at every use.
pub(crate) fn cyclic(device: &Device, label: &str) -> Result<()> {
    for (name, placement) in [
        ("vram", Placement::VRAM),
        ("vram_or_gtt", Placement::VRAM | Placement::GTT),
    ] {
        let mut working = Working::new(device, 110, placement)?;
        let mut places = Places::new(&working.bos)?;
        for _ in 0..ROUNDS {
            working.round(&mut places)?;
        }
        let used = working.bos.len() as u64 * CHUNK * ROUNDS;
        row(format_args!("trace.{name}.{label}.used"), used, "bytes");
        row(
            format_args!("trace.{name}.{label}.moved"),
            places.moved(),
            "bytes",
        );
    }
    Ok(())
}

/// Bandwidth of moves in and out of VRAM, in the time that the copy engines spend on them.
pub(crate) fn bandwidth(device: &Device) -> Result<()> {
    let copy: Vec<_> = device
        .engines()
        .iter()
        .copied()
        .filter(|engine| engine.class == EngineClass::Copy)
        .collect();
    let busy = || {
        let all = copy.iter().map(|engine| device.busy(*engine));
        all.sum::<rgt::Result<Duration>>()
    };
    let mut working = Working::new(device, 150, Placement::VRAM)?;
    let mut places = Places::new(&working.bos)?;
    // In the first round the BOs are cleared, too.
    working.round(&mut places)?;
    let (before, moved_before) = (busy()?, places.moved());
    working.round(&mut places)?;
    let spent = busy()?.saturating_sub(before);

    let moved = places.moved() - moved_before;
    let bandwidth = u128::from(moved) * 1000 / spent.as_nanos().max(1);
    row("evict.bandwidth", bandwidth, "bytes/us");
    row("evict.peak", cost::SYSTEM_BANDWIDTH, "bytes/us");
    Ok(())
}
