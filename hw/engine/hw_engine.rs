// SPDX-License-Identifier: GPL-2.0

//! An engine: its ring, its timeline and its interrupt.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
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

use super::{
    name::{
        self,
        Names, //
    },
    ring::{
        Ring,
        RingSpan,
        RING_SIZE, //
    },
    shared::Shared, //
};
use crate::{
    fence::{
        InFlight,
        Outcome,
        StatusPage,
        Timeline, //
    },
    hw::{
        abi::{
            limits::PAGE_SIZE,
            regs::{
                self,
                BUSY_LO,
                ENGINE_CLASS,
                RING_BASE_LO,
                WRITEBACK_LO, //
            }, //
        },
        mmu::{
            Mmu,
            KERNEL_BASE, //
        },
        regs::EngineControl, //
    },
    rust::{
        devres::BoundDevice,
        dma_fence::{
            SignallingSection,
            UnpublishedFence, //
        },
        workqueue::disable_delayed_work_sync, //
    }, //
};

const _: () = assert!(StatusPage::SIZE == PAGE_SIZE);

/// An engine.
#[pin_data]
pub(crate) struct Engine {
    pub(super) index: u32,
    pub(super) class: u32,
    names: &'static Names,
    pub(super) ring_va: u64,
    pub(super) shared: Arc<Shared>,
    timeline: Timeline,
    /// Taken in the signalling path: memory must not be allocated while it is held.
    #[pin]
    pub(super) state: Mutex<EngineState>,
    /// It takes no more jobs. Changes with `state` locked.
    pub(super) stopped: AtomicFlag,
    #[pin]
    watchdog: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Engine { self.watchdog }
}

/// The ring of an engine and the jobs in it.
pub(super) struct EngineState {
    /// [`None`] once the engine has stopped for good.
    pub(super) memory: Option<EngineMemory>,
    pub(super) in_flight: InFlight<RingSpan>,
    /// Time stamp of the job that was completed last, in nanoseconds since the reset.
    timestamp: u64,
    /// Nanoseconds that the engine was busy before the device slept last.
    busy_before_sleep: u64,
    /// Times that the ring halted since a job was completed.
    pub(super) ring_faults: u32,
    /// The engine fetches no packets for now.
    pub(super) paused: bool,
}

/// The memory that the engine reads and writes.
pub(super) struct EngineMemory {
    pub(super) ring: Ring,
    pub(super) status: StatusPage,
}

impl Engine {
    /// Makes engine `index`. It does not run before [`Self::start`].
    pub(in crate::hw) fn new(
        index: u32,
        shared: &Arc<Shared>,
        bound: &BoundDevice,
        mmu: &Mmu,
    ) -> Result<Arc<Self>> {
        let names = name::of(index)?;
        let ring = Ring::new(bound)?;
        let ring_va = KERNEL_BASE + u64::from(1 + index) * u64::from(RING_SIZE);
        mmu.map_kernel(ring_va, ring.dma_address(), RING_SIZE.into())?;
        let status_va = KERNEL_BASE + u64::from(index) * StatusPage::SIZE;
        let status = StatusPage::new(bound, status_va)?;
        mmu.map_kernel(status_va, status.dma_address(), StatusPage::SIZE)?;
        let class = shared.regs.engine_read(index, ENGINE_CLASS);
        let state = EngineState {
            memory: Some(EngineMemory { ring, status }),
            in_flight: InFlight::new()?,
            timestamp: 0,
            busy_before_sleep: 0,
            ring_faults: 0,
            paused: false,
        };
        Arc::pin_init(
            try_pin_init!(Self {
                index,
                class,
                names,
                ring_va,
                shared: shared.clone(),
                timeline: Timeline::new(names.engine)?,
                state <- new_mutex!(state, "Engine::state"),
                stopped: AtomicFlag::new(false),
                watchdog <- new_delayed_work!("Engine::watchdog"),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Returns the engine's number.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Returns the engine's name.
    pub(crate) fn name(&self) -> &'static CStr {
        self.names.engine
    }

    /// Returns the name of the engine's interrupt.
    pub(in crate::hw) fn irq_name(&self) -> &'static CStr {
        self.names.irq
    }

    /// Returns the engine's [`class`](crate::hw::abi::class).
    pub(crate) fn class(&self) -> u32 {
        self.class
    }

    /// Returns the device time that the engine was busy since its reset, in nanoseconds.
    pub(crate) fn busy_ns(&self) -> u64 {
        self.busy_so_far(&self.state.lock())
    }

    /// Notes the time that the engine was busy, before a sleep of the device resets it.
    pub(super) fn note_busy(&self, state: &mut EngineState) {
        state.busy_before_sleep = self.busy_so_far(state);
    }

    fn busy_so_far(&self, state: &EngineState) -> u64 {
        // It is paused as long as the device sleeps.
        if state.paused {
            return state.busy_before_sleep;
        }
        let regs = &self.shared.regs;
        // Reading the low half latches the high one, so the two reads must not be interrupted.
        let busy = regs.engine_read64(self.index, BUSY_LO);

        match regs.is_present() {
            true => state.busy_before_sleep.saturating_add(busy),
            false => state.busy_before_sleep,
        }
    }

    /// Returns the numbers of completed jobs and of those in flight.
    pub(crate) fn jobs(&self) -> (u64, u64) {
        self.state.lock().in_flight.counts()
    }

    /// Allocates a fence for a job of this engine.
    pub(crate) fn new_fence(&self) -> Result<UnpublishedFence> {
        self.timeline.new_fence()
    }

    /// Returns whether the engine takes no more jobs.
    pub(crate) fn is_dead(&self) -> bool {
        self.shared.is_dead() || self.stopped.load(Relaxed)
    }

    /// Starts the engine, which is reset: it fetches packets from its ring.
    pub(in crate::hw) fn start(&self) {
        self.start_ring(&mut self.state.lock());
    }

    pub(super) fn start_ring(&self, state: &mut EngineState) {
        let Some(memory) = &state.memory else {
            return;
        };
        state.timestamp = 0;
        let bar = &self.shared.regs;
        bar.engine_write(self.index, regs::RING_SIZE, RING_SIZE);
        bar.engine_write64(self.index, RING_BASE_LO, self.ring_va);
        // The status page has the last sequence number: the head need not be written back as well.
        bar.engine_write64(self.index, WRITEBACK_LO, 0);
        bar.set_engine_control(self.index, EngineControl::from_raw(0).with_enable(true));
        bar.doorbell(self.index, memory.ring.tail_offset());
    }

    /// Handles the engine's interrupt: completes jobs, and restarts a ring that halted.
    pub(in crate::hw) fn process(&self) {
        let _section = SignallingSection::begin();
        let mut state = self.state.lock();
        self.retire(&mut state);
        if self.shared.faults.take_ring(self.index) && !state.paused {
            self.recover_ring(&mut state);
        }
    }

    /// Completes the jobs up to the last sequence number of the status page.
    pub(super) fn retire(&self, state: &mut EngineState) {
        let Some(EngineMemory { ring, status }) = &mut state.memory else {
            return;
        };
        let last = status.last_seqno();
        // The device reports a job's fault before it writes the job's sequence number, so all
        // faults of the jobs up to `last` can be read now.
        dma_mb(Read);
        self.shared.faults.drain(&self.shared.regs);

        while state.in_flight.complete_oldest(last, |seqno, span| {
            ring.release(span.end);
            state.ring_faults = 0;
            let fault = self.shared.faults.take_job(self.index, seqno);
            let timestamp = status.timestamp(seqno);
            let before = core::mem::replace(&mut state.timestamp, timestamp);
            Outcome {
                result: match fault {
                    Some(_) => Err(EFAULT),
                    None => Ok(()),
                },
                fault,
                device_ns: timestamp.saturating_sub(before),
            }
        }) {}
    }

    /// Stops the engine for good. Its jobs fail.
    pub(in crate::hw) fn stop(self: &Arc<Self>) {
        disable_delayed_work_sync(self);
        let memory = {
            let _section = SignallingSection::begin();
            let mut state = self.state.lock();
            self.reset();
            self.retire(&mut state);
            self.fail_all(&mut state);
            state.memory.take()
        };
        drop(memory);
    }
}
