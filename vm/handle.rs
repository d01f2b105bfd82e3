// SPDX-License-Identifier: GPL-2.0

//! A client's handle of a VM.

use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

use super::{
    data::{
        Vm,
        VmData,
        VA_RANGE, //
    },
    reaper::{
        DyingVm,
        Reaper, //
    }, //
};
use crate::{
    device::RgtDevice,
    hw::Gpu,
    rust::drm::gpuvm::UnmapAlloc, //
};

/// A client's handle of a VM. Dropping it destroys the VM once its jobs have ended.
pub(crate) struct VmHandle {
    vm: ARef<Vm>,
    dev: ARef<RgtDevice>,
    // For a close that must not fail.
    unmap_alloc: Option<UnmapAlloc<VmData>>,
}

impl VmHandle {
    /// Creates an empty VM.
    pub(crate) fn new(dev: &RgtDevice, gpu: &Gpu) -> Result<Self> {
        let unmap_alloc = UnmapAlloc::new()?;
        let binds = dev.queues.bind_entity()?;
        let vm = Vm::new(c"rust_gpu_ttm", dev, VA_RANGE, VmData::new(binds))?;
        // Dropping the handle frees the space if anything fails from here on.
        let this = Self {
            vm,
            dev: dev.into(),
            unmap_alloc: Some(unmap_alloc),
        };

        this.vm.open(gpu.new_space()?);
        Ok(this)
    }

    /// Returns the VM.
    pub(crate) fn vm(&self) -> &ARef<Vm> {
        &self.vm
    }
}

impl Drop for VmHandle {
    fn drop(&mut self) {
        // No job can be submitted from here on, but for one that holds the reservation.
        self.vm.close();
        drop(self.vm.resv().lock());

        Reaper::reap(DyingVm {
            vm: self.vm.clone(),
            dev: self.dev.clone(),
            unmap_alloc: self.unmap_alloc.take(),
        });
    }
}
