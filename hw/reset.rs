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
    }, //
};

use super::{
    abi::regs::{
        FAULT_COUNT,
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
use crate::rust::dma_fence::{
    Fence,
    SignallingSection, //
};

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
            self.reset_device(engine, fence);
        }
    }

    /// Writes what the device and its engines are at.
    pub(crate) fn describe(&self, out: &mut dyn Write) -> FmtResult {
        let regs = &self.shared.regs;

        writeln!(
            out,
            "device: revision {:#x} resets {} interrupts {:#x} enabled {:#x} faults waiting {}",
            regs.read(REVISION),
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

    fn reset_device(&self, engine: &Engine, fence: &Fence) {
        let _section = SignallingSection::begin();
        let _guard = self.device.lock();
        // Somebody else may have done it in the meantime.
        if fence.is_signaled() {
            return;
        }
        dev_err!(
            self.shared.dev,
            "engine {} cannot be reset: resetting the device\n",
            engine.index()
        );
        for other in &self.engines {
            other.hold((other.index() == engine.index()).then_some(fence.seqno()));
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
