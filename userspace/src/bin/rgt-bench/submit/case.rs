// SPDX-License-Identifier: MIT

//! A job, and what it costs.

use std::time::Duration;

use anyhow::Result;
use rgt::{Binding, Bo, BoBuilder, CommandBuffer, EngineClass, Job, Vm};

use super::blocker::{Blocker, Length};
use crate::clock::Samples;
use crate::filler::Filler;
use crate::policy::{self, Policy};

/// How often the call is measured.
const TIMES: usize = 51;
/// Jobs in a batch.
const BATCH: u64 = 50;
/// Batches.
const BATCHES: usize = 9;
const PATIENCE: Duration = Duration::from_secs(60);

/// A job that does nothing, with what it uses.
pub(super) struct Case {
    job: Job,
    // The GPU's mappings go before the BOs.
    bindings: Vec<Binding>,
    bos: Vec<Bo>,
    commands: CommandBuffer,
}

/// The cost of a job.
pub(super) struct Cost {
    /// The thread that submits it, in the call, while the engine does something else.
    pub(super) call: u64,
    /// The whole machine, from the call to the fence, when the engine does many in one go.
    pub(super) queued: u64,
    /// The same when the thread waits for it before it goes on.
    pub(super) alone: u64,
}

impl Case {
    /// A job of a packet that does nothing.
    pub(super) fn new(vm: &Vm) -> Result<Self> {
        let mut commands = CommandBuffer::new(vm, 64)?;
        commands.nop()?;
        let engine = vm.device().engine(EngineClass::Copy)?;
        Ok(Self {
            job: Job::new(vm, engine).ib(commands.take()),
            bindings: Vec::new(),
            bos: Vec::new(),
            commands,
        })
    }

    /// Changes the job.
    pub(super) fn with(mut self, change: impl FnOnce(Job) -> Job) -> Self {
        self.job = change(self.job);
        self
    }

    /// Has it write BOs, too.
    pub(super) fn bos(
        mut self,
        count: usize,
        make: impl Fn(BoBuilder) -> BoBuilder,
    ) -> Result<Self> {
        let vm = self.commands.vm().clone();
        for _ in 0..count {
            let bo = make(super::bo()).create(vm.device())?;
            self.job = self.job.write(&bo);
            self.bindings.push(vm.map(&bo)?);
            self.bos.push(bo);
        }
        Ok(self)
    }

    /// Binds external BOs that it does not name.
    pub(super) fn bound(mut self, count: usize) -> Result<Self> {
        let vm = self.commands.vm().clone();
        for _ in 0..count {
            let bo = super::bo().create(vm.device())?;
            self.bindings.push(vm.map(&bo)?);
            self.bos.push(bo);
        }
        Ok(self)
    }

    /// Maps one private BO many times.
    pub(super) fn mapped(mut self, count: usize) -> Result<Self> {
        let vm = self.commands.vm().clone();
        let bo = super::bo().private(&vm).create(vm.device())?;
        for _ in 0..count {
            self.bindings.push(vm.map(&bo)?);
        }
        self.bos.push(bo);
        Ok(self)
    }

    /// Submits it once.
    pub(super) fn submit(&self) -> Result<()> {
        Ok(self.job.submit()?)
    }

    /// Waits until it is done, as often as it was submitted.
    pub(super) fn wait(&self) -> Result<()> {
        Ok(self.commands.wait(PATIENCE)?)
    }

    /// Measures it.
    pub(super) fn measure(&self, filler: &Filler, blocker: &Blocker) -> Result<Cost> {
        // The first one brings all BOs to VRAM.
        self.submit()?;
        self.wait()?;
        let mut call = Samples::default();
        policy::set(Policy::BeforeAll)?;
        for _ in 0..TIMES {
            // Neither the job's interrupt falls into the call, nor the worker that it wakes.
            blocker.start(Length::Short)?;
            call.time(|| self.submit())?;
            self.wait()?;
        }
        policy::set(Policy::Fair)?;
        let (mut queued, mut alone) = (Samples::default(), Samples::default());
        for _ in 0..BATCHES {
            queued.add(filler.per_job(BATCH, || {
                blocker.start(Length::Long)?;
                (0..BATCH).try_for_each(|_| self.submit())?;
                self.wait()
            })?);
            alone.add(filler.per_job(BATCH, || {
                (0..BATCH).try_for_each(|_| {
                    self.submit()?;
                    self.wait()
                })
            })?);
        }
        Ok(Cost {
            call: call.median(),
            queued: queued.median(),
            alone: alone.median(),
        })
    }
}
