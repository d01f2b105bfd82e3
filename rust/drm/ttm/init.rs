// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Bringing a TTM device up.
//!
//! C header: [`include/drm/ttm/ttm_device.h`](srctree/include/drm/ttm/ttm_device.h)

use kernel::{
    drm::UnregisteredDevice,
    error::to_result,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Release, //
        },
        Arc, //
    }, //
};

use super::{
    device::Attached,
    dmem::DmemRegion,
    flush::FlushQueue,
    funcs,
    manager::{
        Manager,
        Registered,
        ResourceManager, //
    },
    AllocFlags,
    Device,
    Driver,
    MemType, //
};
use crate::rust::{
    bindings,
    drm::device, //
};

/// A manager of any type, to be attached to a device.
pub struct Attach {
    manager: Arc<dyn Registered>,
    region: Option<&'static CStr>,
}

impl Attach {
    /// Sets the dmem cgroup region `drm/<device>/<name>`, to which the manager's memory is charged.
    pub fn with_dmem_region(self, name: &'static CStr) -> Self {
        Self {
            region: Some(name),
            ..self
        }
    }
}

impl<M: ResourceManager> From<Arc<Manager<M>>> for Attach {
    fn from(manager: Arc<Manager<M>>) -> Self {
        Self {
            manager,
            region: None,
        }
    }
}

impl<T: Driver> Device<T> {
    const FUNCS: bindings::ttm_device_funcs = funcs::table::<T>();

    /// Brings the device up with its managers: memory type, size in bytes, manager.
    ///
    /// `EBUSY` when that was done before or another device uses one of the managers, `EINVAL` when
    /// a type has two or is [`MemType::SYSTEM`].
    ///
    /// C: `ttm_device_init()`.
    pub fn init(
        dev: &UnregisteredDevice<T>,
        flags: AllocFlags,
        managers: impl IntoIterator<Item = (MemType, u64, Attach)>,
    ) -> Result {
        let this = Self::of(dev);
        // Before the check: an iterator can do anything, this very call included.
        let mut attach = KVec::new();
        for manager in managers {
            attach.push(manager, GFP_KERNEL)?;
        }
        if this.ready.load(Acquire) {
            return Err(EBUSY);
        }

        let raw = device::raw(dev);
        // SAFETY: `UnregisteredDevice` cannot be sent to other threads and is not registered, so
        // the device's data is not in use; `ready` says that `raw` is not initialised. `FUNCS`
        // lives for ever, the rest as long as the DRM device, in whose data `this` is.
        to_result(unsafe {
            bindings::ttm_device_init(
                this.raw.get(),
                const { &Self::FUNCS },
                (*raw).dev,
                (*(*raw).anon_inode).i_mapping,
                (*raw).vma_offset_manager,
                flags.0,
            )
        })?;

        // SAFETY: As above, it is not in use.
        let list = unsafe { &mut *this.managers.get() };
        let attached = attach
            .into_iter()
            .try_for_each(|(mem_type, size, manager)| {
                list.reserve(1, GFP_KERNEL)?;
                // SAFETY: The device is not in use yet. The list, which has room, keeps the
                // manager where it is until it is detached.
                unsafe { manager.manager.attach(this.raw.get(), mem_type, size) }?;
                list.push(
                    Attached {
                        mem_type,
                        manager: manager.manager.clone(),
                        region: None,
                    },
                    GFP_KERNEL,
                )?;

                if let (Some(name), Some(attached)) = (manager.region, list.last_mut()) {
                    // SAFETY: The manager was attached above, and `fini()` drops the region before
                    // it detaches it. The device is valid until then.
                    let region =
                        unsafe { DmemRegion::new(raw, manager.manager.as_raw(), size, name) }?;
                    attached.region = Some(region);
                }
                Ok(())
            })
            .and_then(|()| {
                // SAFETY: The device is initialised, and not in use yet. `drop()` drops
                // the queue before it is not any more.
                unsafe { *this.flush.get() = Some(FlushQueue::new(this.raw.get())?) };
                Ok(())
            });
        if let Err(err) = attached {
            // SAFETY: No BO was made, since `ready` is not set.
            unsafe { this.fini(list) };
            list.clear();
            return Err(err);
        }

        // INVARIANT: It is initialised, and `managers` is complete.
        this.ready.store(true, Release);
        Ok(())
    }
}
