// SPDX-License-Identifier: GPL-2.0

//! A client's handle of a VM.

use kernel::{
    prelude::*,
    sync::aref::ARef,
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

use super::{
    data::{
        Vm,
        VmData,
        VA_RANGE, //
    },
    reaper::{
        DyingVm,
        Reaper,
        PATIENCE, //
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
    /// How long to wait for its jobs.
    patience: Delta,
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
            patience: PATIENCE,
        };

        this.vm.open(gpu.new_space()?);
        Ok(this)
    }

    /// Returns the VM.
    pub(crate) fn vm(&self) -> &ARef<Vm> {
        &self.vm
    }

    /// Destroys the VM. Waits for its jobs, but no longer than `time`, and returns what is left of
    /// that.
    pub(crate) fn destroy_within(mut self, time: Delta) -> Delta {
        let start = Instant::<Monotonic>::now();

        self.patience = time;
        drop(self);
        Delta::from_millis((time - start.elapsed()).as_millis().max(0))
    }
}

impl Drop for VmHandle {
    fn drop(&mut self) {
        // No job can be submitted from here on, but for one that holds the reservation.
        self.vm.close();
        drop(self.vm.resv().lock());

        let vm = DyingVm {
            vm: self.vm.clone(),
            dev: self.dev.clone(),
            unmap_alloc: self.unmap_alloc.take(),
        };
        Reaper::reap(vm, self.patience);
    }
}
