// SPDX-License-Identifier: GPL-2.0

//! What most tests start from: a device, a VM, and jobs that are quick to write.

mod calls;
mod frames;
mod kept;
mod memory;
mod memory_group;
mod noise;
mod pressure;
mod setting;
mod work;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rgt::abi::packet::len;
use rgt::packet::Rows;
use rgt::{Bo, BoBuilder, BoFlags, Caching, Device, Engine, EngineClass, Placement, Vm};

pub(crate) use calls::Calls;
pub(crate) use frames::count_write_combined;
pub(crate) use kept::Kept;
pub(crate) use memory::{compact, meminfo, shrink_all, vmstat, without_pressure};
pub(crate) use memory_group::{MemoryGroup, enter_cgroup, mount_cgroups};
pub(crate) use noise::{Dice, noise};
pub(crate) use pressure::Pressure;
pub(crate) use setting::Setting;
pub(crate) use work::{Busy, Held, Work};

/// How long any job may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// A page.
pub(crate) const PAGE: u64 = 4096;
/// 1 MiB.
pub(crate) const MIB: u64 = 1 << 20;

/// Rows that one step of a long job copies, of a dword each. The device looks up both addresses of
/// every row, so that a step takes long however fast it moves bytes.
const STEP_ROWS: u32 = 4096;

/// How a kind of memory is asked for.
pub(crate) type Make = fn(BoBuilder) -> BoBuilder;

/// The kinds of memory that both the CPU and the GPU can use.
pub(crate) const SHARED: [(&str, Make); 4] = [
    ("visible VRAM", |bo| {
        bo.placement(Placement::VRAM).flags(BoFlags::CPU_ACCESS)
    }),
    ("write-combined GTT", |bo| {
        bo.placement(Placement::GTT).caching(Caching::WriteCombined)
    }),
    ("cached GTT", |bo| bo.placement(Placement::GTT)),
    ("VRAM or GTT", |bo| {
        bo.placement(Placement::VRAM | Placement::GTT)
    }),
];

/// VRAM that the CPU need not see.
pub(crate) const HIDDEN: Make = |bo| bo.placement(Placement::VRAM).flags(BoFlags::NO_CPU_ACCESS);

/// Pages that the GPU does not see.
pub(crate) const SYSTEM: Make = |bo| bo.placement(Placement::SYSTEM);

/// A device, a VM on it, and its engines.
pub(crate) struct Rig {
    pub(crate) device: Device,
    pub(crate) vm: Vm,
    pub(crate) copy: Engine,
    pub(crate) render: Engine,
}

impl Rig {
    /// A new client of the device.
    pub(crate) fn new() -> Result<Self> {
        Self::on(&Device::open()?)
    }

    /// Another VM of the same client.
    pub(crate) fn sibling(&self) -> Result<Self> {
        Self::on(&self.device)
    }

    /// Another VM of a client.
    pub(crate) fn on(device: &Device) -> Result<Self> {
        let vm = Vm::create(device)?;
        let copy = device.engine(EngineClass::Copy)?;
        let render = device.engine(EngineClass::Render)?;
        Ok(Self {
            device: device.clone(),
            vm,
            copy,
            render,
        })
    }

    /// A BO.
    pub(crate) fn bo(&self, size: u64, make: Make) -> Result<Bo> {
        make(Bo::builder(size))
            .create(&self.device)
            .context("creating a BO")
    }

    /// A BO in GTT.
    pub(crate) fn gtt(&self, size: u64) -> Result<Bo> {
        self.bo(size, |bo| bo.placement(Placement::GTT))
    }

    /// A BO in VRAM.
    pub(crate) fn vram(&self, size: u64) -> Result<Bo> {
        self.bo(size, |bo| bo.placement(Placement::VRAM))
    }

    /// A BO in VRAM that the CPU sees there: jobs can do atomics in it on any machine.
    pub(crate) fn visible(&self, size: u64) -> Result<Bo> {
        let (_, make) = SHARED[0];
        self.bo(size, make)
    }

    /// A job to be written.
    pub(crate) fn work(&self, engine: Engine) -> Result<Work> {
        self.work_of(engine, 256)
    }

    /// A job to be written, of at most this many dwords.
    pub(crate) fn work_of(&self, engine: Engine, dwords: usize) -> Result<Work> {
        Work::new(&self.vm, engine, dwords)
    }

    /// Fills a BO by the GPU.
    pub(crate) fn fill(&self, bo: &Bo, pattern: u32) -> Result<()> {
        let mut work = self.work(self.copy)?;
        let to = work.writes(bo)?;
        work.commands.fill(to, bo.size(), pattern)?;
        work.run().context("filling a BO")
    }

    /// Copies all of a BO to another by the GPU.
    pub(crate) fn copy(&self, source: &Bo, target: &Bo) -> Result<()> {
        let mut work = self.work(self.copy)?;
        let (from, to) = (work.reads(source)?, work.writes(target)?);
        work.commands.copy(from, to, source.size())?;
        work.run().context("copying a BO")
    }

    /// The checksum of a BO by the GPU.
    pub(crate) fn checksum(&self, bo: &Bo) -> Result<u64> {
        let result = self.gtt(8)?;
        let mut work = self.work(self.copy)?;
        let (from, to) = (work.reads(bo)?, work.writes(&result)?);
        work.commands.checksum(from, bo.size(), to)?;
        work.run().context("summing a BO")?;
        Ok(result.map()?.read_u64(0))
    }

    /// Submits a job that takes about this long and then does what `uses` adds: something to wait
    /// for.
    pub(crate) fn busy(
        &self,
        engine: Engine,
        length: Duration,
        uses: impl FnOnce(&mut Work) -> Result<()>,
    ) -> Result<Busy> {
        let bos = self.bos_of_steps()?;
        let count = length.as_nanos().div_ceil(self.step_time(&bos)?.as_nanos());
        let mut work = self.steps(engine, usize::try_from(count)?, STEP_ROWS, &bos)?;
        uses(&mut work)?;
        work.submit()?;
        Ok(Busy::new(work, bos))
    }

    /// Submits a job that takes longer than the driver lets any job take, on any machine.
    pub(crate) fn endless(
        &self,
        engine: Engine,
        uses: impl FnOnce(&mut Work) -> Result<()>,
    ) -> Result<Busy> {
        const STEPS: usize = 64;
        let bos = self.bos_of_steps()?;
        let mut work = self.steps(engine, STEPS, u32::MAX, &bos)?;
        uses(&mut work)?;
        work.submit()?;
        Ok(Busy::new(work, bos))
    }

    /// Source and target of the copies of a long job, which are 1 and 0. Their backing is there
    /// already, so that it does not count, and the job need not wait for it.
    fn bos_of_steps(&self) -> Result<[Bo; 2]> {
        let bos = [self.vram(4)?, self.gtt(4)?];
        self.fill(&bos[0], 1)?;
        self.fill(&bos[1], 0)?;
        Ok(bos)
    }

    /// A job of so many steps of so many rows, with room for some more.
    fn steps(
        &self,
        engine: Engine,
        count: usize,
        rows: u32,
        [source, target]: &[Bo; 2],
    ) -> Result<Work> {
        let mut work = self.work_of(engine, count * len::COPY_ROWS as usize + 64)?;
        // All rows are the same one.
        let row = |addr| Rows { addr, pitch: 0 };
        let (from, to) = (row(work.reads(source)?), row(work.writes(target)?));
        for _ in 0..count {
            work.commands.copy_rows(from, to, 4, rows)?;
        }
        Ok(work)
    }

    /// Submits a job that does what `uses` adds once the test lets it: something to wait for that
    /// does not end too early.
    pub(crate) fn held(
        &self,
        engine: Engine,
        uses: impl FnOnce(&mut Work) -> Result<()>,
    ) -> Result<Held> {
        let mut work = self.work(engine)?;
        work.commands.nop()?;
        uses(&mut work)?;
        Held::new(work, &self.device)
    }

    /// How long the GPU takes for one step of a long job, measured over so many steps that the time
    /// of the submission and of the wait does not count. The least of a few counts: when something
    /// holds the GPU or the program up, later jobs would be too short.
    fn step_time(&self, bos: &[Bo; 2]) -> Result<Duration> {
        const STEPS: u32 = 64;
        const TIMES: usize = 4;
        static TIME: OnceLock<Duration> = OnceLock::new();
        if let Some(time) = TIME.get() {
            return Ok(*time);
        }
        let mut time = Duration::MAX;
        for _ in 0..TIMES {
            let probe = self.steps(self.copy, STEPS as usize, STEP_ROWS, bos)?;
            let start = Instant::now();
            probe.run()?;
            time = time.min(start.elapsed() / STEPS);
        }
        Ok(*TIME.get_or_init(|| time.max(Duration::from_micros(100))))
    }
}
