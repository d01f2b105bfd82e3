// SPDX-License-Identifier: GPL-2.0

//! Getting a GPU going again: first the engine that does not get on, then all of the device.

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
        Remedy,
        Shared, //
    },
    irq::vectors,
    mmu::Mmu, //
};
use crate::rust::{
    dma_fence::{
        Fence,
        SignallingSection, //
    },
    workqueue::disable_delayed_work_sync, //
};

/// Why the device is reset.
enum Reason<'a> {
    /// An engine cannot be reset, which the job of the fence is at for too long.
    Engine(&'a Engine, &'a Fence),
    /// The TLB does not do what it is asked for.
    Tlb,
}

impl Reason<'_> {
    /// The sequence number of the job that is not to be done, if it is one of this engine.
    fn guilty_job(&self, engine: &Engine) -> Option<u64> {
        match self {
            Self::Engine(guilty, fence) if guilty.index() == engine.index() => Some(fence.seqno()),
            _ => None,
        }
    }
}

/// What resets a GPU and its engines.
#[pin_data]
pub(crate) struct Resetter {
    mmu: Arc<Mmu>,
    shared: Arc<Shared>,
    engines: KVec<Arc<Engine>>,
    count: Atomic<u64>,
    /// One at a time.
    #[pin]
    device: Mutex<()>,
    /// Resets the device when the MMU asks for it.
    #[pin]
    requested: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for Resetter { self.requested }
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
                requested <- new_delayed_work!("Resetter::requested"),
            }),
            GFP_KERNEL,
        )
    }

    /// Number of resets that jobs were the reason for.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// Takes `engine` away from the job of `fence`, which is at it for too long.
    ///
    /// The job ends with `ECANCELED`. When it is the whole device that has to be reset for that,
    /// so do those whose hooks say that they cannot be done any more; with the device gone, all end
    /// with `ENODEV`.
    pub(crate) fn recover(&self, engine: &Engine, fence: &Fence) {
        self.count.fetch_add(1, Relaxed);
        if engine.recover(fence) == Remedy::ResetDevice {
            self.reset_device(Reason::Engine(engine, fence));
        }
    }

    /// Has the device, which the MMU has given up and reset, be made to go on.
    pub(super) fn request(self: &Arc<Self>) {
        let _ = self.shared.queue.enqueue_delayed(self.clone(), 0);
    }

    /// Keeps requests from having an effect.
    pub(super) fn stop(self: &Arc<Self>) {
        disable_delayed_work_sync(self);
    }

    /// Writes what the device and its engines are at.
    pub(crate) fn describe(&self, out: &mut dyn Write) -> FmtResult {
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
        self.shared.faults.describe(out)?;
        self.mmu.describe(out)?;
        self.engines
            .iter()
            .try_for_each(|engine| engine.describe(out))
    }

    fn reset_device(&self, reason: Reason<'_>) {
        let _section = SignallingSection::begin();
        let _guard = self.device.lock();
        // Somebody else may have done it in the meantime.
        match reason {
            Reason::Engine(_, fence) if fence.is_signaled() => return,
            Reason::Tlb if !self.mmu.is_lost() => return,
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
            other.hold(reason.guilty_job(other));
        }
        self.shared.regs.reset();
        if !self.shared.regs.is_present() {
            for other in &self.engines {
                other.give_up();
            }
            return;
        }
        // Before anything is begun again that would take it for what it was.
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

impl WorkItem for Resetter {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.reset_device(Reason::Tlb);
    }
}
