// SPDX-License-Identifier: GPL-2.0

//! Engines: they do jobs, one after the other in the order of submission.
//!
//! A job is packets in the engine's ring, the last of which writes the job's sequence number to
//! the engine's slot and raises its interrupt. That is when the job's fence signals.

mod deps;
mod packet;
mod pending;
mod recovery;
mod ring;
mod shared;
mod slots;
mod submit;
mod watchdog;

use kernel::{
    new_condvar,
    new_mutex,
    prelude::*,
    sync::{
        barrier::{
            dma_mb,
            Read, //
        },
        Arc,
        CondVar,
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
    watchdog::Progress, //
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
        Fence,
        SignallingSection,
        Timeline,
        UnpublishedFence, //
    },
    workqueue::disable_delayed_work_sync, //
};

pub(crate) use self::{
    deps::Dependency,
    packet::PacketBuffer,
    pending::OnEnd,
    submit::{
        Body,
        Ib,
        MAX_IBS,
        MAX_PACKET_DWORDS, //
    },
};
pub(super) use self::{
    pending::MAX_JOBS,
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
    /// Context of the timeline's fences.
    context: u64,
    /// Taken where fences signal: memory must not be allocated while it is held.
    #[pin]
    queue: Mutex<Queue>,
    /// There may be room in the queue again.
    #[pin]
    room: CondVar,
    #[pin]
    watchdog: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Engine { self.watchdog }
}

/// What is submitted to an engine and not done yet.
struct Queue {
    ring: Ring,
    pending: Pending,
    progress: Progress,
    /// Takes no more jobs.
    stopped: bool,
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
        let timeline = Timeline::new(c"rust_gpu_ttm", name);
        // Only a fence knows its context: here is one that comes before those of all jobs.
        let (first, pending) = timeline.new_fence()?.publish(0);
        pending.signal();
        let class = shared.regs.engine_read(index, ENGINE_CLASS);
        let queue = Queue {
            ring,
            pending: Pending::new()?,
            progress: Progress::default(),
            stopped: false,
        };
        Arc::pin_init(
            try_pin_init!(Self {
                index,
                class,
                ring_va,
                shared: shared.clone(),
                timeline,
                context: first.context(),
                queue <- new_mutex!(queue, "Engine::queue"),
                room <- new_condvar!("Engine::room"),
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

    /// Number of jobs that are submitted and not done yet.
    pub(super) fn load(&self) -> u64 {
        self.queue.lock().pending.len()
    }

    /// Whether `fence` is that of a job of this engine.
    pub(super) fn owns(&self, fence: &Fence) -> bool {
        fence.context() == self.context
    }

    /// Has the engine, which is reset, fetch from its ring.
    pub(super) fn start(&self) {
        self.start_queue(&mut self.queue.lock());
    }

    fn start_queue(&self, queue: &mut Queue) {
        let bar = &self.shared.regs;
        bar.engine_write(self.index, regs::RING_SIZE, RING_SIZE);
        bar.engine_write64(self.index, RING_BASE_LO, self.ring_va);
        // The slots say what is done: the engine need not write its head back as well.
        bar.engine_write64(self.index, WRITEBACK_LO, 0);
        bar.engine_write(self.index, ENGINE_CONTROL, CONTROL_ENABLE);
        bar.doorbell(self.index, queue.ring.tail_offset());
    }

    /// Signals the fences of the jobs that are done, and gets a halted ring going again.
    pub(super) fn process(&self) {
        let _section = SignallingSection::begin();
        let mut queue = self.queue.lock();
        self.retire(&mut queue);
        if self.shared.faults.take_ring(self.index) {
            self.recover(&mut queue, EIO);
        }
    }

    /// Signals the fences of the jobs that are done.
    fn retire(&self, queue: &mut Queue) {
        let done = self.shared.slots.read(self.index);
        // The device reports a job's fault before it says that the job is done, so whatever there
        // is to know of the jobs up to `done` can be read now.
        dma_mb(Read);
        self.shared.faults.drain(&self.shared.regs);

        let mut retired = false;
        while let Some((seqno, job)) = queue.pending.pop(done) {
            queue.ring.release(job.end);
            let faulted = self.shared.faults.take_job(self.index, seqno);
            job.finish(if faulted { Err(EFAULT) } else { Ok(()) });
            retired = true;
        }
        if retired {
            self.room.notify_all();
        }
    }

    /// Stops the engine for good. Its jobs fail.
    pub(super) fn stop(self: &Arc<Self>) {
        disable_delayed_work_sync(self);
        let _section = SignallingSection::begin();
        let mut queue = self.queue.lock();
        self.reset();
        self.retire(&mut queue);
        self.abandon(&mut queue);
    }
}
