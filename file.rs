// SPDX-License-Identifier: GPL-2.0

//! What belongs to one client.

use kernel::{
    drm,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};

use crate::{
    device::{
        RgtDevice,
        RgtDriver, //
    },
    hw::Gpu,
    rust::drm::sched::Priority,
    sched::{
        Context,
        Usage, //
    },
    vm::{
        Vm,
        VmHandle, //
    }, //
};

/// Most contexts of a client, and one.
const MAX_CONTEXTS: usize = 1024;

/// An open file of the device.
///
/// The fields are dropped in this order: a VM waits for the jobs that run in it.
#[pin_data]
pub(crate) struct RgtFile {
    /// A context's number is its index. At 0 is the default context.
    #[pin]
    contexts: Mutex<KVVec<Option<Arc<Context>>>>,
    /// What its jobs took of the engines.
    pub(crate) usage: Arc<Usage>,
    /// A VM's number is its index plus 1. There are never more than the device has spaces.
    #[pin]
    vms: Mutex<KVec<Option<VmHandle>>>,
}

impl drm::file::DriverFile for RgtFile {
    type Driver = RgtDriver;

    fn open(dev: &RgtDevice) -> Result<Pin<KBox<Self>>> {
        let usage = Usage::new()?;
        let mut contexts = KVVec::new();
        contexts.push(Some(Context::new_default(&dev.queues, &usage)?), GFP_KERNEL)?;

        KBox::pin_init(
            pin_init!(Self {
                contexts <- new_mutex!(contexts, "RgtFile::contexts"),
                usage,
                vms <- new_mutex!(KVec::new(), "RgtFile::vms"),
            }),
            GFP_KERNEL,
        )
    }
}

impl RgtFile {
    /// Makes a context and returns its number. `ENOSPC` when there are too many.
    pub(crate) fn create_context(&self, dev: &RgtDevice, priority: Priority) -> Result<u32> {
        let context = Context::new(&dev.queues, priority, &self.usage)?;
        let mut contexts = self.contexts.lock();

        let index = match contexts.iter().position(Option::is_none) {
            Some(index) => {
                contexts[index] = Some(context);
                index
            }
            None if contexts.len() == MAX_CONTEXTS => return Err(ENOSPC),
            None => {
                contexts.push(Some(context), GFP_KERNEL)?;
                contexts.len() - 1
            }
        };
        Ok(index as u32)
    }

    /// Takes a context out of the table. `ENOENT` when there is none of this number.
    pub(crate) fn remove_context(&self, id: u32) -> Result<Arc<Context>> {
        if id == 0 {
            return Err(ENOENT);
        }
        self.contexts
            .lock()
            .get_mut(id as usize)
            .and_then(Option::take)
            .ok_or(ENOENT)
    }

    /// Looks a context up. `ENOENT` when there is none of this number.
    pub(crate) fn context(&self, id: u32) -> Result<Arc<Context>> {
        let contexts = self.contexts.lock();
        let context = contexts.get(id as usize).and_then(Option::as_ref);

        Ok(context.ok_or(ENOENT)?.clone())
    }

    /// Calls `f` with the number of each context and the context.
    pub(crate) fn for_each_context(&self, mut f: impl FnMut(usize, &Context)) {
        for (id, context) in self.contexts.lock().iter().enumerate() {
            if let Some(context) = context {
                f(id, context);
            }
        }
    }

    /// Makes a VM and returns its number.
    pub(crate) fn create_vm(&self, dev: &RgtDevice, gpu: &Gpu) -> Result<u32> {
        let vm = VmHandle::new(dev, gpu)?;
        let mut vms = self.vms.lock();

        let index = match vms.iter().position(Option::is_none) {
            Some(index) => {
                vms[index] = Some(vm);
                index
            }
            None => {
                vms.push(Some(vm), GFP_KERNEL)?;
                vms.len() - 1
            }
        };
        Ok(index as u32 + 1)
    }

    /// Takes a VM out of the table. `ENOENT` when there is none of this number.
    pub(crate) fn remove_vm(&self, id: u32) -> Result<VmHandle> {
        let index = id.checked_sub(1).ok_or(ENOENT)? as usize;

        self.vms
            .lock()
            .get_mut(index)
            .and_then(Option::take)
            .ok_or(ENOENT)
    }

    /// Looks a VM up. `ENOENT` when there is none of this number.
    pub(crate) fn vm(&self, id: u32) -> Result<ARef<Vm>> {
        let index = id.checked_sub(1).ok_or(ENOENT)? as usize;

        let vms = self.vms.lock();
        let vm = vms.get(index).and_then(Option::as_ref).ok_or(ENOENT)?;
        Ok(vm.vm().clone())
    }
}
