// SPDX-License-Identifier: GPL-2.0

//! A client's hold on a VM.

use super::{
    Vm,
    VmData,
    VA_RANGE, //
};
use crate::{
    driver::RgtDevice,
    hw::Gpu,
    rust::{
        dma_resv::Usage,
        drm::{
            device,
            gpuvm::UnmapAlloc, //
        }, //
    },
    sched::BindQueue, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef,
    time::Jiffies, //
};

/// A VM that a client has. Dropping it waits for the VM's jobs and gives up its address space.
pub(crate) struct VmHandle {
    vm: ARef<Vm>,
    dev: ARef<RgtDevice>,
    // For a close that must not fail.
    unmap_alloc: Option<UnmapAlloc<VmData>>,
}

impl VmHandle {
    /// Makes an empty VM. `ENOSPC` when all address spaces are in use.
    pub(crate) fn new(dev: &RgtDevice, gpu: &Gpu) -> Result<Self> {
        let unmap_alloc = UnmapAlloc::new()?;
        let binds = BindQueue::new(&dev.queues)?;
        let vm = Vm::new(c"rust_gpu_ttm", dev, VA_RANGE, VmData::new(binds))?;
        // Dropping the handle gives the space up if anything fails from here on.
        let this = Self {
            vm,
            dev: dev.into(),
            unmap_alloc: Some(unmap_alloc),
        };

        this.vm.open(gpu.alloc_space()?);
        Ok(this)
    }

    /// Returns the VM.
    pub(crate) fn vm(&self) -> &ARef<Vm> {
        &self.vm
    }
}

impl Drop for VmHandle {
    fn drop(&mut self) {
        // No job can be submitted from here on.
        let space = self.vm.close();
        // One that was being submitted has its fence on the reservation when that is free again.
        drop(self.vm.resv().lock());
        // All fences signal: the schedulers see to that. An error would be one of the arguments.
        let _ = self.vm.resv().wait(Usage::Bookkeep, false, Jiffies::MAX);

        if let Some(alloc) = self.unmap_alloc.take() {
            // The range is valid, and without an end in the middle of a mapping nothing is cut.
            let _ = self.vm.lock().unmap(alloc, VA_RANGE, &mut |_| {});
        }
        self.vm.cleanup();

        if let (Some(space), Some(device)) = (space, device::enter(&*self.dev)) {
            device.registration_data_with(|gpu| gpu.free_space(space));
        }
    }
}
