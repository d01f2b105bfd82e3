// SPDX-License-Identifier: GPL-2.0

//! Handling of events of the device in process context.

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

use crate::rust::workqueue::disable_delayed_work_sync;

/// A work item that handles events: it calls a handler until the handler's watch is dropped.
#[pin_data]
pub(crate) struct EventWork {
    #[pin]
    handler: Mutex<Option<KBox<dyn Fn() + Send>>>,
    #[pin]
    work: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for EventWork { self.work }
}

impl EventWork {
    /// Makes one that has no handler yet.
    pub(super) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                handler <- new_mutex!(None, "EventWork::handler"),
                work <- new_delayed_work!("EventWork::work"),
            }),
            GFP_KERNEL,
        )
    }

    /// Calls `handler` when events are scheduled, one call at a time, until the returned watch is
    /// dropped. To be called once.
    pub(super) fn watch(
        self: &Arc<Self>,
        handler: impl Fn() + Send + 'static,
    ) -> Result<EventWatch> {
        let handler: KBox<dyn Fn() + Send> = KBox::new(handler, GFP_KERNEL)?;
        *self.handler.lock() = Some(handler);
        Ok(EventWatch(self.clone()))
    }

    /// Has the handler called by the work item: neither waits nor allocates.
    pub(super) fn schedule(self: &Arc<Self>) {
        let _ = workqueue::system_unbound().enqueue_delayed(self.clone(), 0);
    }

    /// Calls the handler, if there is one.
    pub(super) fn call(&self) {
        if let Some(handler) = &*self.handler.lock() {
            handler();
        }
    }
}

impl WorkItem for EventWork {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.call();
    }
}

/// The registration of a handler of events, which is not called any more once this is dropped.
pub(crate) struct EventWatch(Arc<EventWork>);

impl Drop for EventWatch {
    fn drop(&mut self) {
        disable_delayed_work_sync(&self.0);
        let handler = self.0.handler.lock().take();
        drop(handler);
    }
}
