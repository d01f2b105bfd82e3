// SPDX-License-Identifier: GPL-2.0

//! VMs that clients have given up.

use kernel::{
    prelude::*,
    sync::aref::ARef,
    time::{
        msecs_to_jiffies,
        Jiffies, //
    }, //
};

use super::{
    Vm,
    VmData,
    VA_RANGE, //
};
use crate::{
    device::RgtDevice,
    hw::SpaceId,
    rust::{
        dma_resv::Usage,
        drm::{
            device,
            gpuvm::UnmapAlloc, //
        },
        workqueue::ReclaimQueue, //
    }, //
};

/// Milliseconds that a client waits for its last jobs: more than they usually take, so that what it
/// had, such as one of the few address spaces, is free when it is gone.
const PATIENCE: u32 = 5000;

/// Where those wait whose jobs take longer than their clients do.
pub(crate) struct Closing(ReclaimQueue);

/// Waits for them when it is dropped. To be dropped when no client gets in any more and the fences
/// of the GPU have signalled.
pub(crate) struct ClosingGuard(ARef<RgtDevice>);

impl Closing {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(ReclaimQueue::new(c"rust_gpu_ttm-closing")?))
    }

    /// Makes what waits for them.
    pub(crate) fn guard(dev: &RgtDevice) -> ClosingGuard {
        ClosingGuard(dev.into())
    }

    /// Gives up a VM, later if it takes longer than [`PATIENCE`] until its last job has ended.
    pub(super) fn close(vm: ClosedVm) {
        if vm.is_idle_within(msecs_to_jiffies(PATIENCE)) {
            return;
        }
        let dev = vm.dev.clone();
        // The guard waits for what is queued while the device is registered.
        let Some(_registered) = device::enter(&*dev) else {
            return;
        };
        // Without memory for that it is dropped here, which takes as long as it does.
        let _ = dev.closing.0.try_spawn(GFP_KERNEL, move || drop(vm));
    }
}

impl Drop for ClosingGuard {
    fn drop(&mut self) {
        self.0.closing.0.flush();
    }
}

/// A VM that no job can be submitted to. Dropping it waits for those that there are.
pub(super) struct ClosedVm {
    pub(super) vm: ARef<Vm>,
    pub(super) dev: ARef<RgtDevice>,
    pub(super) space: Option<SpaceId>,
    pub(super) unmap_alloc: Option<UnmapAlloc<VmData>>,
}

impl ClosedVm {
    fn is_idle_within(&self, time: Jiffies) -> bool {
        self.vm.resv().wait(Usage::Bookkeep, false, time).is_ok()
    }
}

impl Drop for ClosedVm {
    fn drop(&mut self) {
        // All fences signal: the schedulers see to that. An error would be one of the arguments.
        let _ = self.is_idle_within(Jiffies::MAX);

        if let Some(alloc) = self.unmap_alloc.take() {
            // The range is valid, and without an end in the middle of a mapping nothing is cut.
            let _ = self.vm.lock().unmap(alloc, VA_RANGE, &mut |_| {});
        }
        self.vm.cleanup();

        if let (Some(space), Some(device)) = (self.space, device::enter(&*self.dev)) {
            device.registration_data_with(|gpu| gpu.free_space(space));
        }
    }
}
