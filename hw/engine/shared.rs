// SPDX-License-Identifier: GPL-2.0

//! State that the engines of a GPU share.

use kernel::{
    device::Device,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

use crate::{
    hw::{
        abi::regs::RESET_COUNT,
        fault::Faults,
        recovery_events::{
            Recovery,
            RecoveryEvents, //
        },
        regs::Regs,
        reset_request::ResetRequest, //
    },
    rust::workqueue::ReclaimQueue, //
};

/// Counters of losses of the content of device-local memory.
#[derive(Clone)]
pub(crate) struct VramGeneration(Arc<Losses>);

struct Losses {
    /// Losses of what BOs had there, from 1 on.
    content: Atomic<u64>,
    /// All of them, also those while no BO was there.
    zeros: Atomic<u64>,
}

impl VramGeneration {
    /// Makes counters.
    pub(crate) fn new() -> Result<Self> {
        let losses = Losses {
            content: Atomic::new(1),
            zeros: Atomic::new(1),
        };
        Ok(Self(Arc::new(losses, GFP_KERNEL)?))
    }

    /// Returns the generation of what BOs have there.
    pub(crate) fn get(&self) -> u64 {
        self.0.content.load(Relaxed)
    }

    /// Returns the generation of what is known to be zero.
    pub(crate) fn zeros(&self) -> u64 {
        self.0.zeros.load(Relaxed)
    }

    /// Counts a loss.
    pub(crate) fn lose(&self) {
        self.0.content.fetch_add(1, Relaxed);
        self.lose_zeros();
    }

    /// Counts a loss while no BO was there.
    pub(in crate::hw) fn lose_zeros(&self) {
        self.0.zeros.fetch_add(1, Relaxed);
    }
}

/// The state that the engines share.
#[pin_data]
pub(crate) struct Shared {
    pub(in crate::hw) dev: ARef<Device>,
    pub(in crate::hw) regs: Regs,
    /// Runs the watchdogs, and resets on request.
    pub(in crate::hw) queue: ReclaimQueue,
    dead: AtomicFlag,
    /// `RESET_COUNT` after the driver's last reset of the device.
    resets: Atomic<u32>,
    reset_request: Arc<ResetRequest>,
    pub(in crate::hw) events: Arc<RecoveryEvents>,
    /// Generation of VRAM's content.
    pub(in crate::hw) vram: VramGeneration,
    #[pin]
    pub(in crate::hw) faults: Faults,
}

impl Shared {
    /// Makes the state of the engines of a device, which was just reset.
    pub(in crate::hw) fn new(
        dev: &Device,
        regs: Regs,
        reset_request: &Arc<ResetRequest>,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                resets: Atomic::new(regs.read(RESET_COUNT)),
                reset_request: reset_request.clone(),
                events: RecoveryEvents::new()?,
                regs,
                queue: ReclaimQueue::new(c"rust_gpu_ttm")?,
                dead: AtomicFlag::new(false),
                vram: VramGeneration::new()?,
                faults <- Faults::new(dev)?,
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Resets the device.
    pub(in crate::hw) fn reset(&self) {
        self.regs.reset();
        // A later reset from outside the driver is detected.
        self.resets.store(self.regs.read(RESET_COUNT), Relaxed);
        self.reset_request.done();
    }

    /// Returns the number of resets of the device since power on, as far as the driver knows.
    pub(in crate::hw) fn resets(&self) -> u32 {
        self.resets.load(Relaxed)
    }

    /// Returns whether the device was reset from outside the driver, and has lost its state.
    pub(in crate::hw) fn has_lost_state(&self) -> bool {
        self.regs.read(RESET_COUNT) != self.resets() && self.regs.is_present()
    }

    /// Requests a reset of the device, from where locks are held that it takes.
    pub(super) fn request_reset(&self) {
        self.reset_request.raise();
    }

    /// Returns whether a reset of the device was requested and is not done.
    pub(in crate::hw) fn is_reset_wanted(&self) -> bool {
        self.reset_request.is_pending()
    }

    /// Returns whether the device was declared dead.
    pub(in crate::hw) fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }

    /// Declares the device dead, and so it stays for the driver.
    pub(super) fn declare_dead(&self) {
        if self.dead.xchg(true, Relaxed) {
            return;
        }
        let recovery = match self.regs.is_present() {
            true => Recovery::Stuck,
            false => Recovery::Gone,
        };
        // If it is alive after all, it must not access memory that is reused.
        self.regs.reset();
        dev_err!(
            self.dev,
            "{}\n",
            match recovery {
                Recovery::Gone => "the device does not answer any more",
                _ => "the device does not recover: it is given up",
            }
        );
        self.events.note(recovery);
    }
}
