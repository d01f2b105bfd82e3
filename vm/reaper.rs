// SPDX-License-Identifier: GPL-2.0

//! The reaper of dying VMs: destroyed ones that still have jobs.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    time::{
        msecs_to_jiffies,
        Delta,
        Jiffies, //
    }, //
};

use super::{
    cleanup::clean_up,
    data::{
        Open,
        Vm,
        VmData,
        VA_RANGE, //
    },
    queue::BindQueue, //
};
use crate::{
    device::RgtDevice,
    rust::{
        dma_resv::Usage,
        drm::{
            device,
            gpuvm::MappingAllocs, //
        },
        id_table::IdTable, //
    }, //
};

/// How long VM_DESTROY waits for the last jobs, and closing a file for those of all of its VMs:
/// longer than they usually take, so that the resources of a client, such as its page tables, are
/// free when it is gone.
pub(crate) const PATIENCE: Delta = Delta::from_millis(5000);

/// Waits for all dying VMs when it is dropped: after the device is unregistered and the fences of the
/// GPU have signalled.
pub(crate) struct ReaperGuard(ARef<RgtDevice>);

impl ReaperGuard {
    /// Returns the guard of a device.
    pub(crate) fn new(dev: &RgtDevice) -> Self {
        Self(dev.into())
    }
}

impl Drop for ReaperGuard {
    fn drop(&mut self) {
        self.0.workers.flush();
    }
}

/// Destroys a VM now, or once its last job has ended if that takes longer than `time`, or if a signal
/// comes.
pub(super) fn reap(vm: DyingVm, time: Delta) {
    let millis = time.as_millis().try_into().unwrap_or(0);
    if vm.is_idle_within(true, msecs_to_jiffies(millis)) {
        return;
    }
    let dev = vm.dev.clone();
    // The guard waits for work that is queued while the device is registered.
    let Some(_registered) = device::enter(&*dev) else {
        return;
    };
    // Without memory for the work the VM is dropped here, which waits.
    let _ = dev.workers.try_spawn(GFP_KERNEL, move || drop(vm));
}

/// A dying VM, which takes no jobs any more. Dropping it waits for those that it has.
pub(super) struct DyingVm {
    pub(super) vm: ARef<Vm>,
    pub(super) dev: ARef<RgtDevice>,
    pub(super) unmap_allocs: Option<MappingAllocs<VmData>>,
    pub(super) queues: Arc<IdTable<Arc<BindQueue>>>,
    /// Last: jobs that have ended may still be about to queue its clean-up.
    pub(super) _open: Option<Open>,
}

impl DyingVm {
    /// Waits until the jobs and binds have ended, for so long each at most. Returns whether they have.
    fn is_idle_within(&self, intr: bool, time: Jiffies) -> bool {
        let mut is_idle = self.vm.resv().wait(Usage::Bookkeep, intr, time).is_ok();

        self.queues.for_each(|_, queue| {
            if is_idle {
                is_idle = queue
                    .last()
                    .is_none_or(|last| last.wait(intr, time).is_ok());
            }
        });
        is_idle
    }
}

impl Drop for DyingVm {
    fn drop(&mut self) {
        // The schedulers make sure that all fences signal, and the arguments are valid.
        let _ = self.is_idle_within(false, Jiffies::MAX);

        if let Some(allocs) = self.unmap_allocs.take() {
            let mut update = self.vm.space.update();
            let mut mappings = self.vm.lock();
            // The range is valid, and without an end in the middle of a mapping nothing is cut.
            let _ = mappings.unmap(allocs, VA_RANGE, &mut |removed| update.remove(removed));
        }
        clean_up(&self.vm);
    }
}
