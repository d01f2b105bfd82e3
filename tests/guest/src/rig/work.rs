// SPDX-License-Identifier: GPL-2.0

//! Jobs: written, running, running for long, and held back.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rgt::{
    Binding, Bo, CommandBuffer, Context as GpuContext, Device, Engine, Job, Sync, Syncobj, Vm,
};

use super::PATIENCE;
use crate::peer::SwFence;

/// A job that is being written or runs. Dropping it waits for it.
pub(crate) struct Work {
    bindings: Vec<Binding>,
    pub(crate) commands: CommandBuffer,
    pub(crate) job: Job,
    pending: bool,
}

impl Work {
    /// An empty job of at most this many dwords.
    pub(super) fn new(vm: &Vm, engine: Engine, dwords: usize) -> Result<Self> {
        Ok(Self {
            bindings: Vec::new(),
            commands: CommandBuffer::new(vm, dwords)?,
            job: Job::new(vm, engine),
            pending: false,
        })
    }

    /// Maps a BO that the job reads; gives its address.
    pub(crate) fn reads(&mut self, bo: &Bo) -> Result<u64> {
        self.job = self.job.clone().read(bo);
        self.map(bo)
    }

    /// Maps a BO that the job writes; gives its address.
    pub(crate) fn writes(&mut self, bo: &Bo) -> Result<u64> {
        self.job = self.job.clone().write(bo);
        self.map(bo)
    }

    /// Maps a BO that the job uses with flags of the uAPI; gives its address.
    pub(crate) fn uses(&mut self, bo: &Bo, flags: u32) -> Result<u64> {
        self.job = self.job.clone().uses(bo, flags);
        self.map(bo)
    }

    /// Makes it a job of a context.
    pub(crate) fn context(&mut self, context: &GpuContext) {
        self.job = self.job.clone().context(context);
    }

    /// Has it wait for a fence.
    pub(crate) fn wait_for(&mut self, sync: Sync) {
        self.job = self.job.clone().wait_for(sync);
    }

    /// Puts its fence there.
    pub(crate) fn signal(&mut self, sync: Sync) {
        self.job = self.job.clone().signal(sync);
    }

    fn map(&mut self, bo: &Bo) -> Result<u64> {
        let binding = self.commands.vm().map(bo)?;
        let addr = binding.addr();
        self.bindings.push(binding);
        Ok(addr)
    }

    /// Ends an indirect buffer; what follows is in another one.
    pub(crate) fn cut(&mut self) {
        self.job = self.job.clone().ib(self.commands.take());
    }

    /// Submits the job.
    pub(crate) fn submit(&mut self) -> Result<()> {
        self.cut();
        self.job.submit()?;
        self.pending = true;
        Ok(())
    }

    /// Waits for the job.
    pub(crate) fn wait(&mut self) -> Result<()> {
        if self.pending {
            self.commands.wait(PATIENCE).context("waiting for a job")?;
            self.pending = false;
        }
        Ok(())
    }

    /// Whether it has not ended.
    pub(crate) fn is_pending(&self) -> Result<bool> {
        match self.commands.wait(Duration::ZERO) {
            Ok(()) => Ok(false),
            Err(rgt::Error::TimedOut) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Submits the job and waits for it.
    pub(crate) fn run(mut self) -> Result<()> {
        self.submit()?;
        self.wait()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // A test that fails on its way must not unmap what a job still uses.
        let _ = self.wait();
    }
}

/// A job that runs for a while.
pub(crate) struct Busy {
    work: Work,
    /// Source and target of its copies, closed after it.
    own: [Bo; 2],
}

impl Busy {
    pub(super) fn new(work: Work, own: [Bo; 2]) -> Self {
        Self { work, own }
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Result<()> {
        self.work.wait()
    }

    /// Waits for its end and keeps what it used.
    pub(crate) fn settle(&mut self) -> Result<()> {
        self.work.wait()
    }

    /// Waits until the engine runs it, when it was submitted once.
    pub(crate) fn begins(&self) -> Result<()> {
        let [_, target] = &self.own;
        let map = target.map()?;
        let deadline = Instant::now() + PATIENCE;
        while map.read(0) == 0 {
            ensure!(Instant::now() < deadline, "the job does not begin");
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Submits it once more.
    pub(crate) fn again(&mut self) -> Result<()> {
        self.work.job.submit()?;
        self.work.pending = true;
        Ok(())
    }

    /// Submits it once more, as a job of another context.
    pub(crate) fn again_of(&mut self, context: &GpuContext) -> Result<()> {
        self.work.job.clone().context(context).submit()?;
        self.work.pending = true;
        Ok(())
    }

    /// Does not wait for it when dropped.
    pub(crate) fn forget(&mut self) {
        self.work.pending = false;
    }

    /// Whether it still runs.
    pub(crate) fn runs(&self) -> Result<bool> {
        self.work.is_pending()
    }
}

/// A job that does not begin before it is told to. Dropping it lets it go.
pub(crate) struct Held {
    // Goes first: the job waits for it.
    fence: Option<SwFence>,
    work: Work,
}

impl Held {
    pub(super) fn new(mut work: Work, device: &Device) -> Result<Self> {
        let fence = SwFence::new()?;
        let begin = Syncobj::of_sync_file(device, fence.file())?;
        work.wait_for(begin.sync());
        work.submit()?;
        Ok(Self {
            fence: Some(fence),
            work,
        })
    }

    /// Lets it go.
    pub(crate) fn release(&mut self) -> Result<()> {
        self.fence.take().map_or(Ok(()), SwFence::signal)
    }

    /// Lets it go, and waits for its end.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.release()?;
        self.work.wait()
    }

    /// Whether it has not ended.
    pub(crate) fn is_pending(&self) -> Result<bool> {
        self.work.is_pending()
    }
}
