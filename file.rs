// SPDX-License-Identifier: GPL-2.0

//! What belongs to one client.

use crate::{
    driver::{
        RgtDevice,
        RgtDriver, //
    },
    hw::Gpu,
    vm::{
        Vm,
        VmHandle, //
    }, //
};
use kernel::{
    drm,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Mutex, //
    }, //
};

/// An open file of the device.
#[pin_data]
pub(crate) struct RgtFile {
    /// A VM's number is its index plus 1. There are never more than the device has spaces.
    #[pin]
    vms: Mutex<KVec<Option<VmHandle>>>,
}

impl drm::file::DriverFile for RgtFile {
    type Driver = RgtDriver;

    fn open(_: &RgtDevice) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(
            pin_init!(Self {
                vms <- new_mutex!(KVec::new(), "RgtFile::vms"),
            }),
            GFP_KERNEL,
        )
    }
}

impl RgtFile {
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
