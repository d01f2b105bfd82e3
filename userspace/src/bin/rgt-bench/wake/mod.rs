// SPDX-License-Identifier: MIT

//! From the interrupt that tells of a job's end to the thread that waits for it.

mod trace;

use std::iter;
use std::time::Duration;

use anyhow::{Result, bail};
use rgt::{
    Binding, Bo, CommandBuffer, Device, Engine, EngineClass, Job, Placement, Syncobj, Vm, WaitFor,
    WaitFrom,
};
use rustix::thread::gettid;

use crate::clock::{Samples, counter};
use crate::row::cost;
use trace::{ALL, Event, Trace};

const TIMES: usize = 51;
/// The most jobs for that.
const MOST: usize = 4 * TIMES;
/// The bytes that a job fills, and how often: the thread has to be asleep when it ends.
const BYTES: u64 = 16 << 20;
const FILLS: u32 = 16;
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures the way for two kinds of waits, and how long it is to what happens on it. For each of
/// those the thread waits anew, as noting an event takes time.
pub(crate) fn run(device: &Device) -> Result<()> {
    let mut waiter = Waiter::new(device)?;
    let me = gettid().as_raw_nonzero();
    let fence = Event::new("dma_fence/dma_fence_signaled", ALL);
    let woken = Event::new("sched/sched_waking", format!("pid == {me}"));
    let running = Event::new("sched/sched_switch", format!("next_pid == {me}"));
    for (name, wait, until) in [
        ("fence", Waiter::for_bo as Wait, Some(&fence)),
        ("woken", Waiter::for_bo, Some(&woken)),
        ("running", Waiter::for_bo, Some(&running)),
        ("bo", Waiter::for_bo, None),
        ("syncobj", Waiter::for_syncobj, None),
    ] {
        let way = waiter.measure(wait, until)?;
        cost(format_args!("wake.{name}"), way);
    }
    Ok(())
}

/// A way to wait.
type Wait = fn(&Waiter) -> rgt::Result<()>;

/// A thread that waits for jobs.
struct Waiter {
    engine: Engine,
    // The GPU's mapping goes before the BO.
    binding: Binding,
    bo: Bo,
    commands: CommandBuffer,
    done: Syncobj,
}

impl Waiter {
    fn new(device: &Device) -> Result<Self> {
        let vm = Vm::create(device)?;
        let bo = Bo::builder(BYTES)
            .placement(Placement::VRAM)
            .create(device)?;
        Ok(Self {
            engine: device.engine(EngineClass::Copy)?,
            binding: vm.map(&bo)?,
            bo,
            commands: CommandBuffer::new(&vm, 1 << 10)?,
            done: Syncobj::new(device)?,
        })
    }

    fn for_bo(&self) -> rgt::Result<()> {
        self.bo.wait(PATIENCE, WaitFor::All)
    }

    fn for_syncobj(&self) -> rgt::Result<()> {
        self.done.wait(PATIENCE, WaitFrom::Now)
    }

    /// Median of the times from the interrupt until an event, or until the end of the wait.
    fn measure(&mut self, wait: Wait, until: Option<&Event>) -> Result<u64> {
        let interrupt = Event::new("irq/irq_handler_entry", "name ~ \"rust_gpu_ttm-engine*\"");
        let events: Vec<&Event> = iter::once(&interrupt).chain(until).collect();
        let trace = Trace::of(&events)?;
        let mut samples = Samples::default();
        // The first job brings the BO to VRAM.
        self.start()?;
        wait(self)?;
        for _ in 0..MOST {
            if samples.len() == TIMES {
                return Ok(samples.median());
            }
            trace.clear()?;
            self.start()?;
            wait(self)?;
            let end = counter();
            let text = trace.text()?;
            let start = trace::last(&text, &interrupt)?;
            let end = match until {
                Some(event) => trace::first_after(&text, event, start),
                None => Some(end),
            };
            // The job may have ended before the thread was asleep.
            if let Some(end) = end {
                samples.add(end.saturating_sub(start));
            }
        }
        bail!("of {MOST} jobs, only {} were waited for", samples.len())
    }

    fn start(&mut self) -> Result<()> {
        self.commands.reset(PATIENCE)?;
        for pattern in 0..FILLS {
            self.commands.fill(self.binding.addr(), BYTES, pattern)?;
        }
        let ib = self.commands.take();
        let job = Job::new(self.commands.vm(), self.engine).ib(ib);
        Ok(job.write(&self.bo).signal(self.done.sync()).submit()?)
    }
}
