// SPDX-License-Identifier: GPL-2.0

//! What the engines of a GPU share.

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

/// A number that changes when the GPU's own memory loses its content.
#[derive(Clone)]
pub(crate) struct VramGeneration(Arc<Atomic<u64>>);

impl VramGeneration {
    /// Makes the first one.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Arc::new(Atomic::new(1), GFP_KERNEL)?))
    }

    /// Returns it. The first one is 1.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Notes that all is lost.
    pub(crate) fn lose(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// What the engines share.
#[pin_data]
pub(crate) struct Shared {
    pub(in crate::hw) dev: ARef<Device>,
    pub(in crate::hw) regs: Regs,
    /// Runs the watchdogs, and resets that the MMU asks for.
    pub(in crate::hw) queue: ReclaimQueue,
    dead: AtomicFlag,
    /// What is in VRAM.
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

    /// Whether the device is gone for good.
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }

    /// Notes that the device is gone for good.
    pub(super) fn die(&self) {
        if !self.dead.xchg(true, Relaxed) {
            // If it is there after all, it must not use memory that others get.
            self.regs.reset();
            dev_err!(self.dev, "the device does not answer any more\n");
        }
    }
}
