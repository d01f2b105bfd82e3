// SPDX-License-Identifier: GPL-2.0

//! Events for the rest of the driver: recoveries, and a device that does not recover.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
        Arc, //
    }, //
};

use super::event_work::{
    EventWatch,
    EventWork, //
};

/// The outcome of a recovery.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// The engine, or the device, runs again.
    Done,
    /// The device answers, but its engines do not run. The driver has given it up.
    Stuck,
    /// The device does not answer. The driver has given it up.
    Gone,
}

/// The handler of recoveries.
pub(crate) trait RecoveryHandler: Send {
    /// Handles the outcome of a recovery.
    ///
    /// Called in process context, in which no fence depends on it: it may allocate memory.
    fn handle(&self, recovery: Recovery);
}

/// The recoveries that a handler is to be told of, from where it cannot be called.
pub(crate) struct RecoveryEvents {
    /// Number of those that succeeded.
    done: Atomic<u32>,
    stuck: AtomicFlag,
    gone: AtomicFlag,
    work: Arc<EventWork>,
}

impl RecoveryEvents {
    pub(super) fn new() -> Result<Arc<Self>> {
        let this = Self {
            done: Atomic::new(0),
            stuck: AtomicFlag::new(false),
            gone: AtomicFlag::new(false),
            work: EventWork::new()?,
        };
        Ok(Arc::new(this, GFP_KERNEL)?)
    }

    /// Calls `handler` for each recovery until the returned watch is dropped. To be called once.
    pub(crate) fn watch(
        self: &Arc<Self>,
        handler: impl RecoveryHandler + 'static,
    ) -> Result<EventWatch> {
        let this = self.clone();
        self.work.watch(move || this.drain(&handler))
    }

    /// Has the handler called, by a work item: neither waits nor allocates.
    pub(super) fn note(&self, recovery: Recovery) {
        match recovery {
            Recovery::Done => {
                self.done.fetch_add(1, Relaxed);
            }
            Recovery::Stuck => self.stuck.store(true, Relaxed),
            Recovery::Gone => self.gone.store(true, Relaxed),
        }
        self.work.schedule();
    }

    fn drain(&self, handler: &dyn RecoveryHandler) {
        for _ in 0..self.done.xchg(0, Relaxed) {
            handler.handle(Recovery::Done);
        }
        for (flag, recovery) in [(&self.stuck, Recovery::Stuck), (&self.gone, Recovery::Gone)] {
            if flag.xchg(false, Relaxed) {
                handler.handle(recovery);
            }
        }
    }
}
