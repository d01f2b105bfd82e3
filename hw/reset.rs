// SPDX-License-Identifier: GPL-2.0

//! Recovery of a GPU: reset of the hung engine first, then of the device.

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

use super::{
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
    mmu::{
        HangHandler,
        Mmu, //
    }, //
};
use crate::rust::{
    dma_fence::{
        Fence,
        SignallingSection, //
    },
    workqueue::{
        disable_delayed_work_sync,
        DelayedReclaimWork,
        ReclaimQueue, //
    }, //
};

/// The reason of a reset of the device.
enum Reason<'a> {
    /// A job, of this fence, timed out, and its engine cannot be reset.
    Engine(&'a Engine, &'a Fence),
    /// An invalidation of the TLB timed out.
    Tlb,
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
    shared: Arc<Shared>,
    engines: KVec<Arc<Engine>>,
    count: Atomic<u64>,
    /// Serialises resets of the device.
    #[pin]
    device: Mutex<()>,
    /// Resets the device when the TLB hangs.
    #[pin]
    tlb_hang: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Resetter { self.tlb_hang }
}

impl Resetter {
    pub(super) fn new(
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
                device <- new_mutex!((), "Resetter::device"),
                tlb_hang <- new_delayed_work!("Resetter::tlb_hang"),
            }),
            GFP_KERNEL,
        )
    }

    /// Returns the number of recoveries.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Relaxed)
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

    /// Returns the handler of a hung TLB.
    pub(super) fn hang_handler(self: &Arc<Self>) -> Result<KBox<dyn HangHandler>> {
        let handler: KBox<dyn HangHandler> = KBox::new(TlbHang(self.clone()), GFP_KERNEL)?;
        Ok(handler)
    }

    /// Disables the handling of a hung TLB, and waits for it.
    pub(super) fn stop(self: &Arc<Self>) {
        disable_delayed_work_sync(self);
    }

    /// Prints the state of the device and its engines.
    pub(crate) fn print(&self, out: &mut dyn Write) -> FmtResult {
        let regs = &self.shared.regs;

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
        let _guard = self.device.lock();
        // Another reset may have been faster.
        match reason {
            Reason::Engine(_, fence) if fence.is_signaled() => return,
            Reason::Tlb if !self.mmu.is_hung() => return,
            Reason::Engine(engine, _) => dev_err!(
                self.shared.dev,
                "engine {} cannot be reset: resetting the device\n",
                engine.index()
            ),
            Reason::Tlb => {
                self.count.fetch_add(1, Relaxed);
                dev_err!(self.shared.dev, "the TLB hangs: resetting the device\n");
            }
        }
        for other in &self.engines {
            other.pause(reason.guilty_job(other));
        }
        self.shared.regs.reset();
        if !self.shared.regs.is_present() {
            for other in &self.engines {
                other.kill();
            }
            return;
        }
        // Before any job runs that relies on the content of VRAM.
        self.shared.vram.lose();
        self.mmu.restore();
        self.shared
            .regs
            .write(INT_ENABLE, vectors(self.engines.len()));
        for other in &self.engines {
            other.resume();
        }
    }
}

/// Has a hung TLB handled by a work item: [`HangHandler::handle`] is called with locks held that
/// recovering the engines takes.
struct TlbHang(Arc<Resetter>);

impl HangHandler for TlbHang {
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
        this.reset_device(Reason::Tlb);
    }
}
