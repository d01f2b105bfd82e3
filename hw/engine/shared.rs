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
        fault::Faults,
        regs::Regs, //
    },
    rust::workqueue::ReclaimQueue, //
};

/// A counter of losses of the content of device-local memory.
#[derive(Clone)]
pub(crate) struct VramGeneration(Arc<Atomic<u64>>);

impl VramGeneration {
    /// Makes a counter, which begins at 1.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Arc::new(Atomic::new(1), GFP_KERNEL)?))
    }

    /// Returns the current generation.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Counts a loss.
    pub(crate) fn lose(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// The state that the engines share.
#[pin_data]
pub(crate) struct Shared {
    pub(in crate::hw) dev: ARef<Device>,
    pub(in crate::hw) regs: Regs,
    /// Runs the watchdogs, and resets that the MMU requests.
    pub(in crate::hw) queue: ReclaimQueue,
    dead: AtomicFlag,
    /// Generation of VRAM's content.
    pub(in crate::hw) vram: VramGeneration,
    #[pin]
    pub(in crate::hw) faults: Faults,
}

impl Shared {
    pub(in crate::hw) fn new(dev: &Device, regs: Regs) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                regs,
                queue: ReclaimQueue::new(c"rust_gpu_ttm")?,
                dead: AtomicFlag::new(false),
                vram: VramGeneration::new()?,
                faults <- Faults::new(dev)?,
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Returns whether the device was declared dead.
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }

    /// Declares the device dead: it does not answer, and stays so for the driver.
    pub(super) fn declare_dead(&self) {
        if !self.dead.xchg(true, Relaxed) {
            // If it is alive after all, it must not access memory that is reused.
            self.regs.reset();
            dev_err!(self.dev, "the device does not answer any more\n");
        }
    }
}
