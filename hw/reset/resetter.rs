// SPDX-License-Identifier: GPL-2.0

//! The recovery of engines, and of the device when an engine cannot be recovered.

use kernel::{
    fmt::{
        Result as FmtResult,
        Write, //
    },
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    workqueue::{
        impl_has_delayed_work,
        new_delayed_work,
        DelayedWork,
        WorkItem, //
    }, //
};

use crate::{
    hw::{
        abi::regs::{
            FAULT_COUNT,
            FEATURES,
            INT_ENABLE,
            INT_STATUS,
            RESET_COUNT,
            REVISION, //
        },
        engine::{
            Engine,
            RecoveryAction,
            Shared, //
        },
        irq::vectors,
        mmu::Mmu,
        recovery_events::{
            Recovery,
            RecoveryEvents, //
        },
        reset_request::ResetHandler, //
    },
    rust::{
        dma_fence::{
            Fence,
            SignallingSection, //
        },
        pm::runtime::Awake,
        workqueue::{
            disable_delayed_work_sync,
            DelayedReclaimWork,
            ReclaimQueue, //
        }, //
    }, //
};

/// The reason of a reset of the device.
enum Reason<'a> {
    /// A job, of this fence, timed out, and its engine cannot be reset.
    Engine(&'a Engine, &'a Fence),
    /// It was requested, or the device has lost its state.
    Request,
}

impl Reason<'_> {
    /// Returns the sequence number of the job that timed out, if it is one of `engine`.
    fn guilty_job(&self, engine: &Engine) -> Option<u64> {
        match self {
            Self::Engine(guilty, fence) if guilty.index() == engine.index() => Some(fence.seqno()),
            _ => None,
        }
    }
}

/// The recovery of a GPU and its engines.
///
/// Lock order: `device`, then the engines' locks.
#[pin_data]
pub(crate) struct Resetter {
    mmu: Arc<Mmu>,
    pub(super) shared: Arc<Shared>,
    pub(super) engines: KVec<Arc<Engine>>,
    pub(super) count: Atomic<u64>,
    /// Serialises resets of the device.
    #[pin]
    pub(super) device: Mutex<DeviceState>,
    /// Resets the device on request.
    #[pin]
    request: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Resetter { self.request }
}

/// The state of the device as far as resets go.
#[derive(Default)]
pub(super) struct DeviceState {
    /// The bus resets the device: its engines are paused until that is done.
    pub(super) on_bus: bool,
    /// The device sleeps: its engines are paused until it is awake.
    pub(super) asleep: bool,
    /// Keeps the device awake while the bus resets it.
    pub(super) awake: Option<Awake>,
}

impl DeviceState {
    /// Returns whether the device is to be left alone.
    pub(super) fn is_away(&self) -> bool {
        self.on_bus || self.asleep
    }
}

impl Resetter {
    pub(in crate::hw) fn new(
        mmu: &Arc<Mmu>,
        shared: &Arc<Shared>,
        engines: &[Arc<Engine>],
    ) -> Result<Arc<Self>> {
        let mut all = KVec::with_capacity(engines.len(), GFP_KERNEL)?;
        for engine in engines {
            all.push(engine.clone(), GFP_KERNEL)?;
        }
        Arc::pin_init(
            pin_init!(Self {
                mmu: mmu.clone(),
                shared: shared.clone(),
                engines: all,
                count: Atomic::new(0),
                device <- new_mutex!(DeviceState::default(), "Resetter::device"),
                request <- new_delayed_work!("Resetter::request"),
            }),
            GFP_KERNEL,
        )
    }

    /// Returns the number of recoveries.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// Returns whether the device was given up.
    pub(crate) fn is_dead(&self) -> bool {
        self.shared.is_dead()
    }

    /// Returns the recoveries that a handler can be told of.
    pub(crate) fn events(&self) -> &Arc<RecoveryEvents> {
        &self.shared.events
    }

    /// Recovers from a time-out of the job of `fence` on `engine`.
    ///
    /// The job ends with `ECANCELED`. If the device has to be reset for that, so do the jobs whose
    /// completion callbacks say that the reset cancels them; if it does not come back, all end with
    /// `ENODEV`.
    pub(crate) fn recover(&self, engine: &Engine, fence: &Fence) {
        self.count.fetch_add(1, Relaxed);
        if engine.recover(fence) == RecoveryAction::ResetDevice {
            self.reset_device(Reason::Engine(engine, fence));
        }
    }

    /// Recovers the device if it has lost its state: what is known of VRAM is right after this.
    pub(in crate::hw) fn recover_lost_state(&self) {
        if self.shared.has_lost_state() {
            self.reset_device(Reason::Request);
        }
    }

    /// Returns the handler of requests.
    pub(in crate::hw) fn request_handler(self: &Arc<Self>) -> Result<KBox<dyn ResetHandler>> {
        let handler: KBox<dyn ResetHandler> = KBox::new(RequestHandler(self.clone()), GFP_KERNEL)?;
        Ok(handler)
    }

    /// Disables resets on request, and waits for one that is under way.
    pub(in crate::hw) fn stop(self: &Arc<Self>) {
        disable_delayed_work_sync(self);
    }

    /// Prints the state of the device and its engines.
    pub(crate) fn print(&self, out: &mut dyn Write) -> FmtResult {
        let regs = &self.shared.regs;

        if regs.is_asleep() {
            return writeln!(out, "device: asleep");
        }
        writeln!(
            out,
            "device: revision {:#x} features {:#x} resets {} interrupts {:#x} enabled {:#x} faults waiting {}",
            regs.read(REVISION),
            regs.read(FEATURES),
            regs.read(RESET_COUNT),
            regs.read(INT_STATUS),
            regs.read(INT_ENABLE),
            regs.read(FAULT_COUNT),
        )?;
        self.shared.faults.print(out)?;
        self.mmu.print(out)?;
        self.engines.iter().try_for_each(|engine| engine.print(out))
    }

    fn reset_device(&self, reason: Reason<'_>) {
        let _section = SignallingSection::begin();
        let device = self.device.lock();
        if device.is_away() {
            // What follows that does for this one as well.
            return;
        }
        // Another reset may have been faster.
        match reason {
            Reason::Engine(_, fence) if fence.is_signaled() => return,
            Reason::Engine(engine, _) => dev_err!(
                self.shared.dev,
                "engine {} cannot be reset: resetting the device\n",
                engine.index()
            ),
            Reason::Request => {
                let reason = match (self.mmu.is_hung(), self.shared.is_reset_wanted()) {
                    (true, _) => "the TLB hangs",
                    _ if self.shared.has_lost_state() => "the device has lost its state",
                    (_, true) => "a ring does not run",
                    _ => return,
                };
                self.count.fetch_add(1, Relaxed);
                dev_err!(self.shared.dev, "{}: resetting the device\n", reason);
            }
        }
        for other in &self.engines {
            other.pause(reason.guilty_job(other));
        }
        self.restart();
    }

    /// Pauses the engines for a reset of the device, and completes the jobs that are done. The
    /// caller has the lock of the device.
    pub(super) fn pause(&self) {
        self.engines.iter().for_each(|engine| engine.pause(None));
    }

    /// Resets the device, whose engines are paused, and has them run again. The caller has the lock
    /// of the device.
    pub(super) fn restart(&self) {
        if !self.reset() {
            self.kill();
            return;
        }
        // Before any job runs that relies on the content of VRAM.
        self.shared.vram.lose();
        self.restore();
        for engine in &self.engines {
            engine.resume();
        }
        self.shared.events.note(Recovery::Done);
    }

    /// Resets the device, and returns whether it answers.
    pub(super) fn reset(&self) -> bool {
        self.shared.reset();
        !self.shared.is_dead() && self.shared.regs.is_present()
    }

    /// Restores what a reset takes from the device but for its engines.
    ///
    /// This is the one place where the device gets back what it has lost, whatever has reset it.
    pub(super) fn restore(&self) {
        self.mmu.restore();
        self.shared
            .regs
            .write(INT_ENABLE, vectors(self.engines.len()));
    }

    /// Gives the device up: all jobs fail, and there are no more. The caller has the lock of the
    /// device.
    pub(super) fn kill(&self) {
        self.engines.iter().for_each(|engine| engine.kill());
    }
}

/// Has the device reset by a work item: [`ResetHandler::handle`] is called with locks held that
/// recovering the engines takes.
struct RequestHandler(Arc<Resetter>);

impl ResetHandler for RequestHandler {
    fn handle(&self) {
        self.0.clone().enqueue_delayed(0);
    }
}

impl DelayedReclaimWork for Resetter {
    fn queue(&self) -> &ReclaimQueue {
        &self.shared.queue
    }
}

impl WorkItem for Resetter {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.reset_device(Reason::Request);
    }
}
