// SPDX-License-Identifier: GPL-2.0

//! Bind queues: binds of one queue are done in order, those of several as they can.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};

use crate::{
    device::RgtDevice,
    rust::{
        dma_fence::Fence,
        dma_resv::{
            Resv,
            Usage, //
        }, //
    },
    sched::BindEntity, //
};

/// A bind queue of a VM.
#[pin_data]
pub(crate) struct BindQueue {
    pub(super) entity: BindEntity,
    /// Changes with the VM's reservation held.
    #[pin]
    last: Mutex<Last>,
}

/// The fences of the last binds.
struct Last {
    /// Set once the queue takes no more.
    is_retired: bool,
    /// Of the last one that has in-syncs.
    explicit: Option<ARef<Fence>>,
    /// Of the last one.
    any: Option<ARef<Fence>>,
}

impl BindQueue {
    /// Makes an empty queue.
    pub(crate) fn new(dev: &RgtDevice) -> Result<Arc<Self>> {
        let entity = dev.queues.bind_entity()?;

        Arc::pin_init(
            pin_init!(Self {
                entity,
                last <- new_mutex!(
                    Last {
                        is_retired: false,
                        explicit: None,
                        any: None,
                    },
                    "BindQueue::last"
                ),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Returns whether a bind that is queued now may have to wait for a fence of user space.
    pub(super) fn is_held(&self) -> bool {
        self.last
            .lock()
            .explicit
            .as_ref()
            .is_some_and(|fence| !fence.is_signaled())
    }

    /// Notes a bind, which waits for fences of user space if it `is_explicit`.
    pub(super) fn set_last(&self, fence: &Fence, is_explicit: bool) {
        let mut last = self.last.lock();

        if is_explicit {
            last.explicit = Some(fence.into());
        }
        last.any = Some(fence.into());
    }

    /// Checks that the queue takes binds: `ENOENT` once it is retired. To be called with the VM's
    /// reservation held.
    pub(super) fn check(&self) -> Result {
        if self.last.lock().is_retired {
            return Err(ENOENT);
        }
        Ok(())
    }

    /// Has the queue take no more binds. Destroying the VM waits for those that it has.
    pub(crate) fn retire(&self, vm_resv: &Resv) -> Result {
        let resv = vm_resv.lock_interruptible()?;
        let [slot] = resv.reserve_fences()?;
        let mut last = self.last.lock();

        last.is_retired = true;
        if let Some(fence) = &last.any {
            slot.add(fence, Usage::Bookkeep);
        }
        Ok(())
    }

    /// Returns the fence of the last bind.
    pub(super) fn last(&self) -> Option<ARef<Fence>> {
        self.last.lock().any.clone()
    }
}
