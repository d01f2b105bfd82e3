// SPDX-License-Identifier: GPL-2.0

//! The device's reports of pages of VRAM that went bad.

use kernel::{
    device::Device,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    },
    workqueue::{
        self,
        impl_has_delayed_work,
        new_delayed_work,
        DelayedWork,
        WorkItem, //
    }, //
};

use super::{
    abi::{
        limits::PAGE_SIZE,
        regs::*, //
    },
    info::Info,
    mmu::Mmu,
    regs::Regs, //
};
use crate::rust::workqueue::disable_delayed_work_sync;

/// The handler of bad pages.
pub(crate) trait BadPageHandler: Send {
    /// Handles a bad page at `offset` in VRAM, none for page tables, which may be reported more than
    /// once.
    ///
    /// Called in process context: it may allocate memory, lock reservations and wait for fences.
    fn handle(&self, offset: u64);
}

/// The reports of a device.
#[pin_data]
pub(crate) struct BadPages {
    dev: ARef<Device>,
    regs: Regs,
    mmu: Arc<Mmu>,
    /// Number of pages that can go bad; 0 if the device does not report them.
    pages: u64,
    #[pin]
    handler: Mutex<Option<KBox<dyn BadPageHandler>>>,
    #[pin]
    work: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for BadPages { self.work }
}

impl BadPages {
    pub(super) fn new(dev: &Device, regs: &Regs, mmu: &Arc<Mmu>, info: &Info) -> Result<Arc<Self>> {
        let pages = match info.reports_bad_pages {
            true => info.vram_size / PAGE_SIZE,
            false => 0,
        };
        Arc::pin_init(
            pin_init!(Self {
                dev: dev.into(),
                regs: regs.clone(),
                mmu: mmu.clone(),
                pages,
                handler <- new_mutex!(None, "BadPages::handler"),
                work <- new_delayed_work!("BadPages::work"),
            }),
            GFP_KERNEL,
        )
    }

    /// Calls `handler` for the pages that are bad, and for each that goes bad until the returned
    /// watch is dropped. To be called once.
    pub(crate) fn watch(
        self: &Arc<Self>,
        handler: impl BadPageHandler + 'static,
    ) -> Result<BadPageWatch> {
        let handler: KBox<dyn BadPageHandler> = KBox::new(handler, GFP_KERNEL)?;
        *self.handler.lock() = Some(handler);
        let watch = BadPageWatch(self.clone());
        self.drain();
        Ok(watch)
    }

    /// Schedules the handling of reports, from the interrupt handler.
    pub(super) fn schedule(self: &Arc<Self>) {
        if self.count() != 0 {
            let _ = workqueue::system_unbound().enqueue_delayed(self.clone(), 0);
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

    fn drain(&self) {
        let handler = self.handler.lock();
        let Some(handler) = &*handler else {
            return;
        };
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

impl WorkItem for BadPages {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.drain();
    }
}

/// The registration of a [`BadPageHandler`], which is not called any more once this is dropped.
pub(crate) struct BadPageWatch(Arc<BadPages>);

impl Drop for BadPageWatch {
    fn drop(&mut self) {
        disable_delayed_work_sync(&self.0);
        let handler = self.0.handler.lock().take();
        drop(handler);
    }
}
