// SPDX-License-Identifier: MIT

//! A job that keeps an engine busy while others are submitted, so that these are done in one go, and
//! none while it is submitted: how fast the device is does not tell how many interrupts there are, and
//! when.

use std::time::Duration;

use anyhow::Result;
use rgt::{Binding, Bo, CommandBuffer, Context, Device, EngineClass, Job, Placement, Priority, Vm};

/// Bytes of a fill.
const BYTES: u64 = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the engine is busy.
#[derive(Clone, Copy)]
pub(super) enum Length {
    /// While one job is submitted.
    Short,
    /// While many are.
    Long,
}

impl Length {
    fn fills(self) -> u32 {
        match self {
            Self::Short => 4,
            Self::Long => 32,
        }
    }
}

/// The job, with what it uses. It is of a context of its own.
pub(super) struct Blocker {
    short: Job,
    long: Job,
    // The GPU's mapping goes before the BO.
    _binding: Binding,
    _bo: Bo,
    _commands: CommandBuffer,
    _context: Context,
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
        let context = Context::create(device, Priority::Normal)?;
        let mut commands = CommandBuffer::new(&vm, 1 << 10)?;
        let engine = device.engine(EngineClass::Copy)?;
        let mut job = |length: Length| -> Result<Job> {
            for pattern in 0..length.fills() {
                commands.fill(binding.addr(), BYTES, pattern)?;
            }
            Ok(Job::new(&vm, engine).context(&context).ib(commands.take()))
        };
        let (short, long) = (job(Length::Short)?, job(Length::Long)?);
        // The first one brings the BO to VRAM.
        short.submit()?;
        commands.wait(PATIENCE)?;
        Ok(Self {
            short,
            long,
            _binding: binding,
            _bo: bo,
            _commands: commands,
            _context: context,
        })
    }

    /// Submits it.
    pub(super) fn start(&self, length: Length) -> Result<()> {
        let job = match length {
            Length::Short => &self.short,
            Length::Long => &self.long,
        };
        Ok(job.submit()?)
    }
}
