// SPDX-License-Identifier: GPL-2.0

//! Engines: they do jobs, one after the other in the order of submission.
//!
//! A job is packets in the engine's ring, the last of which writes the job's sequence number to
//! the engine's slot and raises its interrupt. That is when the job's fence signals.

mod body;
mod describe;
mod end;
mod packet;
mod pending;
mod recovery;
mod ring;
mod shared;
mod slots;
mod submit;
mod watchdog;

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        barrier::{
            dma_mb,
            Read, //
        },
        Arc,
        Mutex, //
    },
    workqueue::{
        impl_has_delayed_work,
        new_delayed_work,
        DelayedWork, //
    }, //
};

use self::{
    pending::Pending,
    ring::Ring,
    slots::Slots, //
};
use super::{
    abi::regs::{
        self,
        BUSY_LO,
        CONTROL_ENABLE,
        ENGINE_CLASS,
        ENGINE_CONTROL,
        RING_BASE_LO,
        WRITEBACK_LO, //
    },
    mmu::{
        Mmu,
        KERNEL_BASE, //
    }, //
};
use crate::rust::{
    devres::BoundDevice,
    dma_fence::{
        SignallingSection,
        Timeline,
        UnpublishedFence, //
    },
    workqueue::disable_delayed_work_sync, //
};

pub(crate) use self::{
    body::{
        Body,
        Ib,
        CREDITS,
        MAX_IBS,
        MAX_PACKET_DWORDS, //
    },
    end::{
        EndHook,
        OnEnd,
        Outcome,
        Reset, //
    },
    packet::PacketBuffer,
    shared::VramGeneration, //
};
pub(super) use self::{
    pending::MAX_JOBS,
    recovery::Remedy,
    ring::RING_SIZE,
    shared::Shared, //
};

/// Names of the engines: of their timelines and of their interrupts.
pub(super) const ENGINE_NAMES: [(&CStr, &CStr); 8] = [
    (c"engine0", c"rust_gpu_ttm-engine0"),
    (c"engine1", c"rust_gpu_ttm-engine1"),
    (c"engine2", c"rust_gpu_ttm-engine2"),
    (c"engine3", c"rust_gpu_ttm-engine3"),
    (c"engine4", c"rust_gpu_ttm-engine4"),
    (c"engine5", c"rust_gpu_ttm-engine5"),
    (c"engine6", c"rust_gpu_ttm-engine6"),
    (c"engine7", c"rust_gpu_ttm-engine7"),
];

/// An engine.
#[pin_data]
pub(crate) struct Engine {
    index: u32,
    class: u32,
    ring_va: u64,
    shared: Arc<Shared>,
    timeline: Timeline,
    /// Taken where fences signal: memory must not be allocated while it is held.
    #[pin]
    queue: Mutex<Queue>,
    #[pin]
    watchdog: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Engine { self.watchdog }
}

/// What is submitted to an engine and not done yet.
struct Queue {
    /// [`None`] once the engine has stopped for good.
    memory: Option<Memory>,
    pending: Pending,
    /// Device time at the end of the job that was done last, in nanoseconds since the reset.
    stamp: u64,
    /// The engine does nothing for now.
    held: bool,
    /// Takes no more jobs.
    stopped: bool,
}

/// What the device reads and writes.
struct Memory {
    ring: Ring,
    slots: Slots,
}

impl Engine {
    /// Makes engine `index`. It does not run before [`Self::start`].
    pub(super) fn new(
        index: u32,
        shared: &Arc<Shared>,
        bound: &BoundDevice,
        mmu: &Mmu,
    ) -> Result<Arc<Self>> {
        let (name, _) = ENGINE_NAMES.get(index as usize).ok_or(EINVAL)?;
        let ring = bound.with(Ring::new)?;
        let ring_va = KERNEL_BASE + u64::from(1 + index) * u64::from(RING_SIZE);
        mmu.map_kernel(ring_va, ring.dma_address(), RING_SIZE.into())?;
        let slots_va = KERNEL_BASE + u64::from(index) * Slots::SIZE;
        let slots = bound.with(|dev| Slots::new(dev, slots_va))?;
        mmu.map_kernel(slots_va, slots.dma_address(), Slots::SIZE)?;
        let timeline = Timeline::new(c"rust_gpu_ttm", name);
        let class = shared.regs.engine_read(index, ENGINE_CLASS);
        let queue = Queue {
            memory: Some(Memory { ring, slots }),
            pending: Pending::new()?,
            stamp: 0,
            held: false,
            stopped: false,
        };
        Arc::pin_init(
            try_pin_init!(Self {
                index,
                class,
                ring_va,
                shared: shared.clone(),
                timeline,
                queue <- new_mutex!(queue, "Engine::queue"),
                watchdog <- new_delayed_work!("Engine::watchdog"),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Number of the engine.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Its [`class`](super::abi::class).
    pub(crate) fn class(&self) -> u32 {
        self.class
    }

    /// Nanoseconds of device time that the engine has spent since its reset.
    pub(crate) fn busy_ns(&self) -> u64 {
        // Reading the low half latches the high one: nobody else may come in between.
        let _queue = self.queue.lock();
        self.shared.regs.engine_read64(self.index, BUSY_LO)
    }

    /// The numbers of jobs that are done, and of those that are not.
    pub(crate) fn jobs(&self) -> (u64, u64) {
        self.queue.lock().pending.counts()
    }

    /// Allocates a fence for a job of this engine.
    pub(crate) fn new_fence(&self) -> Result<UnpublishedFence> {
        Ok(self.timeline.new_fence()?)
    }

    /// Whether it takes no more jobs.
    pub(crate) fn is_dead(&self) -> bool {
        self.shared.is_dead() || self.queue.lock().stopped
    }

    /// Has the engine, which is reset, fetch from its ring.
    pub(super) fn start(&self) {
        self.start_queue(&mut self.queue.lock());
    }

    fn start_queue(&self, queue: &mut Queue) {
        let Some(memory) = &queue.memory else {
            return;
        };
        queue.stamp = 0;
        let bar = &self.shared.regs;
        bar.engine_write(self.index, regs::RING_SIZE, RING_SIZE);
        bar.engine_write64(self.index, RING_BASE_LO, self.ring_va);
        // The slots say what is done: the engine need not write its head back as well.
        bar.engine_write64(self.index, WRITEBACK_LO, 0);
        bar.engine_write(self.index, ENGINE_CONTROL, CONTROL_ENABLE);
        bar.doorbell(self.index, memory.ring.tail_offset());
    }

    /// Signals the fences of the jobs that are done, and gets a halted ring going again.
    pub(super) fn process(&self) {
        let _section = SignallingSection::begin();
        let mut queue = self.queue.lock();
        self.retire(&mut queue);
        if self.shared.faults.take_ring(self.index) && !queue.held {
            self.recover_ring(&mut queue);
        }
    }

    /// Signals the fences of the jobs that are done.
    fn retire(&self, queue: &mut Queue) {
        let Some(memory) = &mut queue.memory else {
            return;
        };
        let done = memory.slots.done();
        // The device reports a job's fault before it says that the job is done, so whatever there
        // is to know of the jobs up to `done` can be read now.
        dma_mb(Read);
        self.shared.faults.drain(&self.shared.regs);

        while let Some((seqno, job)) = queue.pending.pop(done) {
            memory.ring.release(job.end);
            let stamp = memory.slots.stamp_of(seqno);
            let fault = self.shared.faults.take_job(self.index, seqno);
            job.finish(Outcome {
                result: match fault {
                    Some(_) => Err(EFAULT),
                    None => Ok(()),
                },
                fault,
                device_ns: stamp.saturating_sub(queue.stamp),
            });
            queue.stamp = stamp;
        }
    }

    /// Stops the engine for good. Its jobs fail.
    pub(super) fn stop(self: &Arc<Self>) {
        disable_delayed_work_sync(self);
        let memory = {
            let _section = SignallingSection::begin();
            let mut queue = self.queue.lock();
            self.reset();
            self.retire(&mut queue);
            self.abandon(&mut queue);
            queue.memory.take()
        };
        drop(memory);
    }
}
