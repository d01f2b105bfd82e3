// SPDX-License-Identifier: GPL-2.0

//! An open file of the device: a client's contexts and VMs.

use kernel::{
    drm,
    prelude::*,
    sync::Arc,
    time::Delta, //
};

use crate::{
    device::{
        RgtDevice,
        RgtDriver, //
    },
    hw::Gpu,
    rust::{
        drm::sched::{
            is_kernel_thread,
            Priority, //
        },
        id_table::IdTable, //
    },
    sched::{
        Context,
        Usage, //
    },
    vm::{
        self,
        BindQueue,
        Vm,
        VmHandle,
        VmInUse, //
    }, //
};

/// The most contexts of a client, the default context included.
pub(crate) const MAX_CONTEXTS: usize = 1024;

/// An open file of the device.
///
/// The contexts are dropped before the VMs, which wait for the jobs that run in them.
pub(crate) struct RgtFile {
    /// The contexts; 0 is the default context.
    contexts: Pin<KBox<IdTable<Arc<Context>>>>,
    /// The engine time of its jobs.
    pub(crate) usage: Arc<Usage>,
    /// The VMs; there is none with the number 0.
    vms: Pin<KBox<IdTable<VmHandle>>>,
}

impl Drop for RgtFile {
    fn drop(&mut self) {
        let contexts = self.contexts.take_all();
        Context::flush_at_exit(contexts.iter().flatten().map(|context| &**context));
        drop(contexts);
        // They wait as long for their jobs as one would, unless many other files wait for this task.
        let mut left = match is_kernel_thread() {
            true => Delta::ZERO,
            false => vm::PATIENCE,
        };
        for vm in self.vms.take_all().into_iter().flatten() {
            left = vm.destroy_within(left);
        }
    }
}

impl drm::file::DriverFile for RgtFile {
    type Driver = RgtDriver;

    fn open(dev: &RgtDevice) -> Result<Pin<KBox<Self>>> {
        let usage = Usage::new()?;
        let default = Context::new_default(&dev.queues, &usage)?;

        let this = Self {
            contexts: KBox::try_pin_init(IdTable::new(Some(default), MAX_CONTEXTS), GFP_KERNEL)?,
            usage,
            vms: KBox::try_pin_init(IdTable::new(None, usize::MAX), GFP_KERNEL)?,
        };
        Ok(KBox::pin(this, GFP_KERNEL)?)
    }
}

impl RgtFile {
    /// Creates a context and returns its number. `ENOSPC` when there are too many.
    pub(crate) fn create_context(&self, dev: &RgtDevice, priority: Priority) -> Result<u32> {
        self.contexts
            .insert(Context::new(&dev.queues, priority, &self.usage)?)
    }

    /// Takes a context out of the table. `ENOENT` when there is none of this number.
    pub(crate) fn remove_context(&self, id: u32) -> Result<Arc<Context>> {
        self.contexts.remove(id)
    }

    /// Looks a context up. `ENOENT` when there is none of this number.
    pub(crate) fn context(&self, id: u32) -> Result<Arc<Context>> {
        self.contexts.get(id, Arc::clone)
    }

    /// Calls `f` with the number of each context and the context.
    pub(crate) fn for_each_context(&self, mut f: impl FnMut(usize, &Context)) {
        self.contexts.for_each(|id, context| f(id, context));
    }

    /// Creates a VM and returns its number.
    pub(crate) fn create_vm(&self, dev: &RgtDevice, gpu: &Gpu) -> Result<u32> {
        self.vms.insert(VmHandle::new(dev, gpu)?)
    }

    /// Takes a VM out of the table. `ENOENT` when there is none of this number.
    pub(crate) fn remove_vm(&self, id: u32) -> Result<VmHandle> {
        self.vms.remove(id)
    }

    /// Calls `f` with each VM.
    pub(crate) fn for_each_vm(&self, mut f: impl FnMut(&Vm)) {
        self.vms.for_each(|_, handle| f(handle.vm()));
    }

    /// Looks a VM up for a call. `ENOENT` when there is none of this number.
    ///
    /// The result must be dropped without the reservation of the VM or of one of its BOs.
    pub(crate) fn vm(&self, id: u32) -> Result<VmInUse> {
        self.vms.get(id, |handle| handle.in_use())
    }

    /// Creates a bind queue of a VM and returns its number. `ENOSPC` when the VM has too many.
    pub(crate) fn create_bind_queue(&self, dev: &RgtDevice, vm_id: u32) -> Result<u32> {
        let queue = BindQueue::new(dev)?;

        self.vms
            .get(vm_id, |handle| handle.queues().clone())?
            .insert(queue)
    }

    /// Takes a bind queue off its VM. `ENOENT` when there is none of these numbers.
    pub(crate) fn remove_bind_queue(&self, vm_id: u32, id: u32) -> Result<Arc<BindQueue>> {
        if id == 0 {
            return Err(ENOENT);
        }
        let (vm, queues) = self.vms.get(vm_id, |handle| {
            (handle.vm().clone(), handle.queues().clone())
        })?;

        queues.get(id, Arc::clone)?.retire(vm.resv())?;
        queues.remove(id)
    }

    /// Looks a bind queue of a VM up; 0 is the default queue. `ENOENT` when there is none of these
    /// numbers.
    pub(crate) fn bind_queue(&self, vm_id: u32, id: u32) -> Result<Arc<BindQueue>> {
        // One table's lock is not taken with another's held.
        self.vms
            .get(vm_id, |handle| handle.queues().clone())?
            .get(id, Arc::clone)
    }
}
