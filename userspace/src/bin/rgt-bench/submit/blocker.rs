// SPDX-License-Identifier: MIT

//! A job that keeps an engine busy while others are submitted, so that these are done in one go: how
//! fast the device is does not tell how many interrupts they take.

use std::time::Duration;

use anyhow::Result;
use rgt::{Binding, Bo, CommandBuffer, Device, EngineClass, Job, Placement, Vm};

const BYTES: u64 = 16 << 20;
const FILLS: u32 = 32;
const PATIENCE: Duration = Duration::from_secs(60);

/// The job, with what it uses.
pub(super) struct Blocker {
    job: Job,
    // The GPU's mapping goes before the BO.
    _binding: Binding,
    _bo: Bo,
    commands: CommandBuffer,
}

impl Blocker {
    /// One for the engine of [`Case`](super::case::Case).
    pub(super) fn new(device: &Device) -> Result<Self> {
        let vm = Vm::create(device)?;
        let bo = Bo::builder(BYTES)
            .placement(Placement::VRAM)
            .private(&vm)
            .create(device)?;
        let binding = vm.map(&bo)?;
        let mut commands = CommandBuffer::new(&vm, 1 << 10)?;
        for pattern in 0..FILLS {
            commands.fill(binding.addr(), BYTES, pattern)?;
        }
        let engine = device.engine(EngineClass::Copy)?;
        let blocker = Self {
            job: Job::new(&vm, engine).ib(commands.take()),
            _binding: binding,
            _bo: bo,
            commands,
        };
        // The first one brings the BO to VRAM.
        blocker.start()?;
        blocker.commands.wait(PATIENCE)?;
        Ok(blocker)
    }

    /// Submits it.
    pub(super) fn start(&self) -> Result<()> {
        Ok(self.job.submit()?)
    }
}
