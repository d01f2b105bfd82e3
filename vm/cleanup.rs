// SPDX-License-Identifier: GPL-2.0

//! The work that frees BOs, and ranges of processes' memory, which have lost their last mapping.
//!
//! Binds remove mappings in the signalling path, where neither may be freed, nor the VM's
//! reservation be taken.

use core::ops::Deref;

use kernel::{
    impl_has_work,
    new_work,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    workqueue::{
        Work,
        WorkItem, //
    }, //
};

use super::data::Vm;
use crate::device::RgtDevice;

/// The clean-up of a VM.
#[pin_data]
pub(super) struct Cleanup {
    pub(super) vm: ARef<Vm>,
    pub(super) dev: ARef<RgtDevice>,
    #[pin]
    work: Work<Self>,
}

impl_has_work! {
    impl HasWork<Self> for Cleanup { self.work }
}

impl Cleanup {
    pub(super) fn new(vm: &Vm, dev: &RgtDevice) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                vm: vm.into(),
                dev: dev.into(),
                work <- new_work!("Cleanup::work"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Queues the work, unless it is queued already. Neither allocates nor waits.
    fn enqueue(self: &Arc<Self>) {
        // If it is queued, it will see what this was called for.
        let _ = self.dev.workers.enqueue(self.clone());
    }
}

/// Frees what has lost its last mapping in a VM. Not to be called where fences signal, nor with a
/// reservation or a lock of the VM held.
pub(super) fn clean_up(vm: &Vm) {
    vm.user.clean_up(&vm.space);
    vm.cleanup();
}

/// The clean-up of a VM, which is queued when this is dropped: mappings, and references to what they
/// are of, are gone then.
pub(super) struct QueuedCleanup(pub(super) Arc<Cleanup>);

impl Deref for QueuedCleanup {
    type Target = Cleanup;

    fn deref(&self) -> &Cleanup {
        &self.0
    }
}

impl Drop for QueuedCleanup {
    fn drop(&mut self) {
        self.0.enqueue();
    }
}

impl WorkItem for Cleanup {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        clean_up(&this.vm);
    }
}

/// A VM that a call uses, for which it cleans up in the end.
///
/// A bind does so when its work is done, and a VM when it is destroyed. But a call that fails, or that
/// looks at a BO while others unmap it, may have the last reference to what connects both, and may
/// have it for longer than there is the VM.
pub(crate) struct VmInUse(pub(super) ARef<Vm>);

impl Deref for VmInUse {
    type Target = Vm;

    fn deref(&self) -> &Vm {
        &self.0
    }
}

impl Drop for VmInUse {
    fn drop(&mut self) {
        clean_up(&self.0);
    }
}
