// SPDX-License-Identifier: GPL-2.0

//! Requests to reset the device.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc,
        Mutex, //
    }, //
};

/// The handler of a request to reset the device.
pub(super) trait ResetHandler: Send {
    /// Schedules the reset and the recovery of the device. Called with locks held.
    fn handle(&self);
}

/// The request to reset the device, for those that may hold locks that the reset takes.
#[pin_data]
pub(super) struct ResetRequest {
    /// A reset was requested and is not done.
    pending: AtomicFlag,
    #[pin]
    handler: Mutex<Option<KBox<dyn ResetHandler>>>,
}

impl ResetRequest {
    /// Makes the request of a device, which is not pending.
    pub(super) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                pending: AtomicFlag::new(false),
                handler <- new_mutex!(None, "ResetRequest::handler"),
            }),
            GFP_KERNEL,
        )
    }

    /// Sets the handler, or [`None`] before the device stops for good.
    pub(super) fn set_handler(&self, handler: Option<KBox<dyn ResetHandler>>) {
        let old = core::mem::replace(&mut *self.handler.lock(), handler);
        drop(old);
    }

    /// Requests a reset.
    pub(super) fn raise(&self) {
        self.pending.store(true, Relaxed);
        if let Some(handler) = &*self.handler.lock() {
            handler.handle();
        }
    }

    /// Returns whether a reset was requested and is not done.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.load(Relaxed)
    }

    /// Notes that the device was reset.
    pub(super) fn done(&self) {
        self.pending.store(false, Relaxed);
    }
}
