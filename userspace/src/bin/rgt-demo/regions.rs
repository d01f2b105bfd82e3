// SPDX-License-Identifier: MIT

//! Data through every memory region and back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rgt::{
    Bo, BoBuilder, BoFlags, Caching, CommandBuffer, Device, Engine, EngineClass, Job, Placement,
    RegionKind, Vm, WaitFor, checksum,
};

use crate::pattern;
use crate::table::Row;

/// How long any job may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Memory of one kind.
struct Kind {
    name: &'static str,
    region: RegionKind,
    make: fn(BoBuilder) -> BoBuilder,
    /// The CPU can map it.
    mappable: bool,
    /// The GPU can map it.
    bindable: bool,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "VRAM, visible",
        region: RegionKind::Vram,
        make: |bo| bo.placement(Placement::VRAM).flags(BoFlags::CPU_ACCESS),
        mappable: true,
        bindable: true,
    },
    Kind {
        name: "VRAM, no CPU access",
        region: RegionKind::Vram,
        make: |bo| bo.placement(Placement::VRAM).flags(BoFlags::NO_CPU_ACCESS),
        mappable: false,
        bindable: true,
    },
    Kind {
        name: "GTT, write-combined",
        region: RegionKind::Gtt,
        make: |bo| bo.placement(Placement::GTT).caching(Caching::WriteCombined),
        mappable: true,
        bindable: true,
    },
    Kind {
        name: "GTT, cached",
        region: RegionKind::Gtt,
        make: |bo| bo.placement(Placement::GTT),
        mappable: true,
        bindable: true,
    },
    Kind {
        name: "system",
        region: RegionKind::System,
        make: |bo| bo.placement(Placement::SYSTEM),
        mappable: true,
        bindable: false,
    },
];

/// Moves `bytes` bytes through every kind of memory that the device has.
pub(crate) fn run(device: &Device, bytes: u64, show: &mut dyn FnMut(Row)) -> Result<()> {
    let present: Vec<_> = device
        .regions()?
        .into_iter()
        .map(|region| region.kind)
        .collect();
    let bench = Bench::new(device, bytes)?;
    for (seed, kind) in (1..).zip(&KINDS) {
        if present.contains(&kind.region) {
            show(
                bench
                    .row(kind, seed)
                    .with_context(|| format!("in {}", kind.name))?,
            );
        }
    }
    Ok(())
}

/// Data that all rows share.
struct Bench<'a> {
    device: &'a Device,
    engine: Engine,
    vm: Vm,
    bytes: u64,
}

impl<'a> Bench<'a> {
    fn new(device: &'a Device, bytes: u64) -> Result<Self> {
        let engine = device.engine(EngineClass::Copy)?;
        let bytes = bytes.next_multiple_of(device.info().page_size.into());
        Ok(Self {
            device,
            engine,
            vm: Vm::create(device)?,
            bytes,
        })
    }

    fn bo(&self, builder: impl FnOnce(BoBuilder) -> BoBuilder) -> Result<Bo> {
        Ok(builder(Bo::builder(self.bytes)).create(self.device)?)
    }

    fn row(&self, kind: &Kind, seed: u32) -> Result<Row> {
        let data = pattern::of(seed, self.bytes as usize / 4);
        let source = self.bo(kind.make)?;
        let target = self.bo(if kind.bindable { kind.make } else { in_gtt })?;
        let read_back = self.bo(in_gtt)?;

        if kind.mappable {
            source.map()?.write_slice(0, &data);
        } else {
            let staging =
                self.bo(|bo| bo.placement(Placement::GTT).caching(Caching::WriteCombined))?;
            staging.map()?.write_slice(0, &data);
            self.copy(&staging, &source)?;
        }
        let took = if kind.bindable {
            self.copy(&source, &target)?
        } else {
            copy_by_cpu(&source, &target)?
        };
        let gpu = self.checksum(&target)?;
        self.copy(&target, &read_back)?;

        Ok(Row {
            region: kind.name.into(),
            bytes: self.bytes,
            engine: if kind.bindable {
                self.engine_name()
            } else {
                "CPU".into()
            },
            expected: checksum::of_dwords(&data),
            gpu,
            read_back: read_back.map()?.checksum(0..self.bytes as usize),
            took,
        })
    }

    fn engine_name(&self) -> String {
        format!("{} {}", self.engine.class, self.engine.id)
    }

    /// Copies by the engine; gives the time from the submission to the end of the wait.
    fn copy(&self, source: &Bo, target: &Bo) -> Result<Duration> {
        copy(&self.vm, self.engine, source, target, self.bytes)
    }

    fn checksum(&self, bo: &Bo) -> Result<u64> {
        gpu_checksum(&self.vm, self.engine, bo, self.bytes)
    }
}

/// Copies from the start of one BO to the start of another; gives the time it took.
pub(crate) fn copy(
    vm: &Vm,
    engine: Engine,
    source: &Bo,
    target: &Bo,
    bytes: u64,
) -> Result<Duration> {
    let from = vm.map(source)?;
    let to = vm.map(target)?;
    let mut commands = CommandBuffer::new(vm, 16)?;
    commands.copy(from.addr(), to.addr(), bytes)?;
    let start = Instant::now();
    Job::new(vm, engine)
        .ib(commands.take())
        .read(source)
        .write(target)
        .submit()?;
    commands.wait(PATIENCE)?;
    Ok(start.elapsed())
}

/// The checksum of the start of a BO by the GPU.
pub(crate) fn gpu_checksum(vm: &Vm, engine: Engine, bo: &Bo, bytes: u64) -> Result<u64> {
    let result = Bo::builder(8)
        .placement(Placement::GTT)
        .create(vm.device())?;
    let from = vm.map_read_only(bo)?;
    let to = vm.map(&result)?;
    let mut commands = CommandBuffer::new(vm, 16)?;
    commands.checksum(from.addr(), bytes, to.addr())?;
    Job::new(vm, engine)
        .ib(commands.take())
        .read(bo)
        .write(&result)
        .submit()?;
    result.wait(PATIENCE, WaitFor::Writers)?;
    let sum = result.map()?.read_u64(0);
    commands.wait(PATIENCE)?;
    Ok(sum)
}

fn in_gtt(bo: BoBuilder) -> BoBuilder {
    bo.placement(Placement::GTT)
}

fn copy_by_cpu(source: &Bo, target: &Bo) -> Result<Duration> {
    let (from, to) = (source.map()?, target.map()?);
    let mut page = [0; 1024];
    let start = Instant::now();
    for offset in (0..from.len()).step_by(size_of_val(&page)) {
        from.read_slice(offset, &mut page);
        to.write_slice(offset, &page);
    }
    Ok(start.elapsed())
}
