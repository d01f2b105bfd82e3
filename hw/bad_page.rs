// SPDX-License-Identifier: GPL-2.0

//! Pages of VRAM that went bad, as the device reports them.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
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
    regs::Regs, //
};
use crate::rust::workqueue::disable_delayed_work_sync;

/// The handler of bad pages.
pub(crate) trait OnBadPage: Send {
    /// The page at `offset` in VRAM is bad. This may be told more than once.
    ///
    /// Memory may be allocated, reservations locked and fences waited for.
    fn on_bad_page(&self, offset: u64);
}

/// The reports of a device.
#[pin_data]
pub(crate) struct BadPages {
    regs: Regs,
    /// Pages that can go bad; 0 if the device does not tell.
    pages: u64,
    #[pin]
    handler: Mutex<Option<KBox<dyn OnBadPage>>>,
    #[pin]
    work: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for BadPages { self.work }
}

impl BadPages {
    pub(super) fn new(regs: &Regs, info: &Info) -> Result<Arc<Self>> {
        let pages = match info.reports_bad_pages {
            true => info.vram_size / PAGE_SIZE,
            false => 0,
        };
        Arc::pin_init(
            pin_init!(Self {
                regs: regs.clone(),
                pages,
                handler <- new_mutex!(None, "BadPages::handler"),
                work <- new_delayed_work!("BadPages::work"),
            }),
            GFP_KERNEL,
        )
    }

    /// Has `handler` called for the pages that are bad and for those that will be, until what is
    /// returned is dropped. To be called once.
    pub(crate) fn watch(
        self: &Arc<Self>,
        handler: impl OnBadPage + 'static,
    ) -> Result<BadPageWatch> {
        let handler: KBox<dyn OnBadPage> = KBox::new(handler, GFP_KERNEL)?;
        *self.handler.lock() = Some(handler);
        let watch = BadPageWatch(self.clone());
        self.drain();
        Ok(watch)
    }

    /// Looks for reports: later, where more may be done than in the handler of an interrupt.
    pub(super) fn look(self: &Arc<Self>) {
        if self.count() != 0 {
            let _ = workqueue::system_unbound().enqueue_delayed(self.clone(), 0);
        }
    }

    /// The number of reports that wait.
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
            if offset / PAGE_SIZE < self.pages {
                handler.on_bad_page(offset);
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

/// Has a handler called. When it is dropped, the handler is not any more.
pub(crate) struct BadPageWatch(Arc<BadPages>);

impl Drop for BadPageWatch {
    fn drop(&mut self) {
        disable_delayed_work_sync(&self.0);
        let handler = self.0.handler.lock().take();
        drop(handler);
    }
}
