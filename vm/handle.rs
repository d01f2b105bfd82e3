// SPDX-License-Identifier: GPL-2.0

//! A client's handle of a VM.

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

use super::{
    cleanup::{
        Cleanup,
        VmInUse, //
    },
    data::{
        Open,
        Vm,
        VmData,
        VA_RANGE, //
    },
    queue::BindQueue,
    reaper::{
        reap,
        DyingVm,
        PATIENCE, //
    }, //
};
use crate::{
    bo::PrivateBos,
    device::RgtDevice,
    hw::Gpu,
    rust::{
        drm::gpuvm::MappingAllocs,
        id_table::IdTable, //
    }, //
};

/// The most bind queues of a VM, the default one included.
pub(crate) const MAX_BIND_QUEUES: usize = 64;

/// A client's handle of a VM. Dropping it destroys the VM once its jobs have ended.
pub(crate) struct VmHandle {
    vm: ARef<Vm>,
    dev: ARef<RgtDevice>,
    /// Bind queues; 0 is the default queue.
    queues: Arc<IdTable<Arc<BindQueue>>>,
    // For a close that must not fail.
    unmap_allocs: Option<MappingAllocs<VmData>>,
    /// How long to wait for its jobs.
    patience: Delta,
}

impl VmHandle {
    /// Creates an empty VM.
    pub(crate) fn new(dev: &RgtDevice, gpu: &Gpu) -> Result<Self> {
        let unmap_allocs = MappingAllocs::for_unmap()?;
        let vm = Vm::new(
            c"rust_gpu_ttm",
            dev,
            VA_RANGE,
            VmData::new(dev, gpu.new_space()?),
        )?;

        let queues = Arc::pin_init(
            IdTable::new(Some(BindQueue::new(dev)?), MAX_BIND_QUEUES),
            GFP_KERNEL_ACCOUNT,
        )?;

        // Last: the VM and its clean-up keep each other until the VM is closed.
        vm.set_open(Open {
            rebind_queue: BindQueue::new(dev)?,
            cleanup: Cleanup::new(&vm, dev)?,
            private: PrivateBos::new(dev, vm.resv_object())?,
        });
        Ok(Self {
            vm,
            dev: dev.into(),
            queues,
            unmap_allocs: Some(unmap_allocs),
            patience: PATIENCE,
        })
    }

    /// Returns the VM.
    pub(crate) fn vm(&self) -> &ARef<Vm> {
        &self.vm
    }

    /// Returns its VM, for a call.
    pub(crate) fn in_use(&self) -> VmInUse {
        VmInUse(self.vm().clone())
    }

    /// Returns the table of its bind queues; 0 is the default queue.
    pub(crate) fn queues(&self) -> &Arc<IdTable<Arc<BindQueue>>> {
        &self.queues
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
        let open = self.vm.close();
        drop(self.vm.resv().lock());

        let vm = DyingVm {
            vm: self.vm.clone(),
            dev: self.dev.clone(),
            queues: self.queues.clone(),
            _open: open,
            unmap_allocs: self.unmap_allocs.take(),
        };
        reap(vm, self.patience);
    }
}
