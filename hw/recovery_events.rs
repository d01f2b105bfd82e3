// SPDX-License-Identifier: GPL-2.0

//! Events for the rest of the driver: recoveries, and a device that does not recover.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Relaxed, //
        },
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

use crate::rust::workqueue::disable_delayed_work_sync;

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
#[pin_data]
pub(crate) struct RecoveryEvents {
    /// Number of those that succeeded.
    done: Atomic<u32>,
    stuck: AtomicFlag,
    gone: AtomicFlag,
    #[pin]
    handler: Mutex<Option<KBox<dyn RecoveryHandler>>>,
    #[pin]
    work: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for RecoveryEvents { self.work }
}

impl RecoveryEvents {
    pub(super) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                done: Atomic::new(0),
                stuck: AtomicFlag::new(false),
                gone: AtomicFlag::new(false),
                handler <- new_mutex!(None, "RecoveryEvents::handler"),
                work <- new_delayed_work!("RecoveryEvents::work"),
            }),
            GFP_KERNEL,
        )
    }

    /// Calls `handler` for each recovery until the returned watch is dropped. To be called once.
    pub(crate) fn watch(
        self: &Arc<Self>,
        handler: impl RecoveryHandler + 'static,
    ) -> Result<RecoveryWatch> {
        let handler: KBox<dyn RecoveryHandler> = KBox::new(handler, GFP_KERNEL)?;
        *self.handler.lock() = Some(handler);
        Ok(RecoveryWatch(self.clone()))
    }

    /// Has the handler called, by a work item: neither waits nor allocates.
    pub(super) fn note(self: &Arc<Self>, recovery: Recovery) {
        match recovery {
            Recovery::Done => {
                self.done.fetch_add(1, Relaxed);
            }
            Recovery::Stuck => self.stuck.store(true, Relaxed),
            Recovery::Gone => self.gone.store(true, Relaxed),
        }
        let _ = workqueue::system_unbound().enqueue_delayed(self.clone(), 0);
    }

    fn drain(&self) {
        let handler = self.handler.lock();
        let Some(handler) = &*handler else {
            return;
        };
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

impl WorkItem for RecoveryEvents {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.drain();
    }
}

/// The registration of a [`RecoveryHandler`], which is not called any more once this is dropped.
pub(crate) struct RecoveryWatch(Arc<RecoveryEvents>);

impl Drop for RecoveryWatch {
    fn drop(&mut self) {
        disable_delayed_work_sync(&self.0);
        let handler = self.0.handler.lock().take();
        drop(handler);
    }
}
