// SPDX-License-Identifier: GPL-2.0

//! An open file of the device: a client's contexts and VMs.

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
        self,
        Vm,
        VmHandle, //
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
        // They wait as long for their jobs as one would.
        let mut left = vm::PATIENCE;
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

    /// Looks a VM up. `ENOENT` when there is none of this number.
    pub(crate) fn vm(&self, id: u32) -> Result<ARef<Vm>> {
        self.vms.get(id, |handle| handle.vm().clone())
    }
}

/// A client's objects of a type, by their numbers.
///
/// Number 0 is not given out: it names a default object, or none.
#[pin_data]
struct IdTable<T> {
    /// The object of a number is at that index.
    #[pin]
    objects: Mutex<KVVec<Option<T>>>,
    /// The most objects, index 0 included.
    max: usize,
}

impl<T> IdTable<T> {
    /// Returns the initializer of a table with an object of number 0, or none.
    fn new(default: Option<T>, max: usize) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            objects <- new_mutex!(
                {
                    let mut objects = KVVec::new();
                    objects.push(default, GFP_KERNEL)?;
                    objects
                },
                "IdTable::objects"
            ),
            max,
        })
    }

    /// Adds an object and returns its number, the lowest that is free. `ENOSPC` when the table is
    /// full.
    fn insert(&self, object: T) -> Result<u32> {
        let mut objects = self.objects.lock();
        let free = (1..objects.len()).find(|&index| objects[index].is_none());

        let index = match free {
            Some(index) => {
                objects[index] = Some(object);
                index
            }
            None if objects.len() == self.max => return Err(ENOSPC),
            None => {
                objects.push(Some(object), GFP_KERNEL)?;
                objects.len() - 1
            }
        };
        Ok(u32::try_from(index)?)
    }

    /// Takes an object out. `ENOENT` for 0 and when there is none of this number.
    fn remove(&self, id: u32) -> Result<T> {
        if id == 0 {
            return Err(ENOENT);
        }
        self.objects
            .lock()
            .get_mut(id as usize)
            .and_then(Option::take)
            .ok_or(ENOENT)
    }

    /// Takes all objects out.
    fn take_all(&self) -> KVVec<Option<T>> {
        core::mem::take(&mut *self.objects.lock())
    }

    /// Returns what `f` returns for an object. `ENOENT` when there is none of this number.
    fn get<R>(&self, id: u32, f: impl FnOnce(&T) -> R) -> Result<R> {
        let objects = self.objects.lock();
        let object = objects.get(id as usize).and_then(Option::as_ref);

        Ok(f(object.ok_or(ENOENT)?))
    }

    /// Calls `f` with the number of each object and the object.
    fn for_each(&self, mut f: impl FnMut(usize, &T)) {
        for (id, object) in self.objects.lock().iter().enumerate() {
            if let Some(object) = object {
                f(id, object);
            }
        }
    }
}
