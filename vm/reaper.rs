// SPDX-License-Identifier: GPL-2.0

//! The reaper of dying VMs: destroyed ones that still have jobs.

use kernel::{
    prelude::*,
    sync::aref::ARef,
    time::{
        msecs_to_jiffies,
        Delta,
        Jiffies, //
    }, //
};

use super::data::{
    Vm,
    VmData,
    VA_RANGE, //
};
use crate::{
    device::RgtDevice,
    rust::{
        dma_resv::Usage,
        drm::{
            device,
            gpuvm::UnmapAlloc, //
        },
        workqueue::ReclaimQueue, //
    }, //
};

/// How long VM_DESTROY waits for the last jobs, and closing a file for those of all of its VMs:
/// longer than they usually take, so that the resources of a client, such as its page tables, are
/// free when it is gone.
pub(crate) const PATIENCE: Delta = Delta::from_millis(5000);

/// Destroys VMs whose jobs take longer than that.
pub(crate) struct Reaper(ReclaimQueue);

/// Waits for all dying VMs when it is dropped: after the device is unregistered and the fences of
/// the GPU have signalled.
pub(crate) struct ReaperGuard(ARef<RgtDevice>);

impl Reaper {
    /// Returns a reaper without VMs.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(ReclaimQueue::new(c"rust_gpu_ttm-reaper")?))
    }

    /// Returns the guard that waits for the reaper of a device.
    pub(crate) fn guard(dev: &RgtDevice) -> ReaperGuard {
        ReaperGuard(dev.into())
    }

    /// Destroys a VM now, or once its last job has ended if that takes longer than `time`, or if a
    /// signal comes.
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
        let _ = dev.reaper.0.try_spawn(GFP_KERNEL, move || drop(vm));
    }
}

impl Drop for ReaperGuard {
    fn drop(&mut self) {
        self.0.reaper.0.flush();
    }
}

/// A dying VM, which takes no jobs any more. Dropping it waits for those that it has: moves
/// invalidate its mappings until they have ended.
pub(super) struct DyingVm {
    pub(super) vm: ARef<Vm>,
    pub(super) dev: ARef<RgtDevice>,
    pub(super) unmap_alloc: Option<UnmapAlloc<VmData>>,
}

impl DyingVm {
    fn is_idle_within(&self, intr: bool, time: Jiffies) -> bool {
        self.vm.resv().wait(Usage::Bookkeep, intr, time).is_ok()
    }
}

impl Drop for DyingVm {
    fn drop(&mut self) {
        // The schedulers make sure that all fences signal, and the arguments are valid.
        let _ = self.is_idle_within(false, Jiffies::MAX);

        if let Some(alloc) = self.unmap_alloc.take() {
            // The range is valid, and without an end in the middle of a mapping nothing is cut.
            let _ = self.vm.lock().unmap(alloc, VA_RANGE, &mut |_| {});
        }
        self.vm.cleanup();
        drop(self.vm.take_space());
    }
}
