// SPDX-License-Identifier: GPL-2.0

//! The device's reports of pages of VRAM that went bad.

use kernel::{
    device::Device,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

use super::{
    abi::{
        limits::PAGE_SIZE,
        regs::*, //
    },
    event_work::{
        EventWatch,
        EventWork, //
    },
    info::Info,
    mmu::Mmu,
    regs::Regs, //
};

/// The handler of bad pages.
pub(crate) trait BadPageHandler: Send {
    /// Handles a bad page at `offset` in VRAM, none for page tables, which may be reported more than
    /// once.
    ///
    /// Called in process context: it may allocate memory, lock reservations and wait for fences.
    fn handle(&self, offset: u64);
}

/// The reports of a device.
pub(crate) struct BadPages {
    dev: ARef<Device>,
    regs: Regs,
    mmu: Arc<Mmu>,
    /// Number of pages that can go bad; 0 if the device does not report them.
    pages: u64,
    work: Arc<EventWork>,
}

impl BadPages {
    pub(super) fn new(dev: &Device, regs: &Regs, mmu: &Arc<Mmu>, info: &Info) -> Result<Arc<Self>> {
        let pages = match info.reports_bad_pages {
            true => info.vram_size / PAGE_SIZE,
            false => 0,
        };
        let this = Self {
            dev: dev.into(),
            regs: regs.clone(),
            mmu: mmu.clone(),
            pages,
            work: EventWork::new()?,
        };
        Ok(Arc::new(this, GFP_KERNEL)?)
    }

    /// Calls `handler` for the pages that are bad, and for each that goes bad until the returned
    /// watch is dropped. To be called once.
    pub(crate) fn watch(
        self: &Arc<Self>,
        handler: impl BadPageHandler + 'static,
    ) -> Result<EventWatch> {
        let this = self.clone();
        let watch = self.work.watch(move || this.drain(&handler))?;
        self.work.call();
        Ok(watch)
    }

    /// Schedules the handling of reports, from the interrupt handler.
    pub(super) fn schedule(&self) {
        if self.count() != 0 {
            self.work.schedule();
        }
    }

    /// Returns the number of reports that wait.
    fn count(&self) -> u64 {
        match self.pages {
            0 => 0,
            // A device that is gone reads as ones.
            pages => Some(u64::from(self.regs.read(POISON_COUNT)))
                .filter(|count| *count <= pages)
                .unwrap_or(0),
        }
    }

    fn drain(&self, handler: &dyn BadPageHandler) {
        for _ in 0..self.count() {
            let offset = self.regs.read64(POISON_ADDR_LO);
            self.regs.write(POISON_POP, 0);
            if offset / PAGE_SIZE >= self.pages {
                continue;
            }
            match self.mmu.retire_page(offset) {
                Ok(false) => handler.handle(offset),
                Ok(true) => {}
                Err(err) => dev_err!(
                    self.dev,
                    "the page table in the bad page at {:#x} in VRAM cannot be moved: {}\n",
                    offset,
                    err.to_errno()
                ),
            }
        }
    }
}
