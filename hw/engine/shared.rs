// SPDX-License-Identifier: GPL-2.0

//! What the engines of a GPU share.

use kernel::{
    device::Device,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::slots::Slots;
use crate::{
    hw::{
        fault::Faults,
        mmu::{
            Mmu,
            KERNEL_BASE, //
        },
        regs::Regs, //
    },
    rust::{
        devres::BoundDevice,
        workqueue::ReclaimQueue, //
    }, //
};

/// What the engines share.
#[pin_data]
pub(crate) struct Shared {
    pub(super) dev: ARef<Device>,
    pub(in crate::hw) regs: Regs,
    pub(super) slots: Slots,
    /// Runs the watchdogs.
    pub(super) queue: ReclaimQueue,
    dead: AtomicFlag,
    #[pin]
    pub(in crate::hw) faults: Faults,
}

impl Shared {
    pub(in crate::hw) fn new(
        dev: &Device,
        bound: &BoundDevice,
        regs: Regs,
        mmu: &Mmu,
    ) -> Result<Arc<Self>> {
        let slots = bound.with(|dev| Slots::new(dev, KERNEL_BASE))?;
        mmu.map_kernel(KERNEL_BASE, slots.dma_address(), Slots::SIZE)?;
        Arc::pin_init(
            try_pin_init!(Self {
                dev: dev.into(),
                regs,
                slots,
                queue: ReclaimQueue::new(c"rust_gpu_ttm")?,
                dead: AtomicFlag::new(false),
                faults <- Faults::new(dev),
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
