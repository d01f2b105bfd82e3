// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Memory that is emptied, before a device loses it.
//!
//! C header: [`include/drm/ttm/ttm_resource.h`](srctree/include/drm/ttm/ttm_resource.h)

use kernel::{
    error::to_result,
    prelude::*, //
};

use super::{
    Device,
    Driver,
    MemType, //
};
use crate::rust::bindings;

impl<T: Driver> Device<T> {
    /// Evicts all BOs from a memory type but those that are pinned, and waits until that is done and
    /// for BOs that are being destroyed.
    ///
    /// Where they go is up to [`Driver::evict_flags()`]. Must not be called with a reservation held.
    /// `ENODEV` before the device is up, `EINVAL` when it has no such type or it is
    /// [`MemType::SYSTEM`]; with an error, some have been evicted.
    ///
    /// C: `ttm_resource_manager_evict_all()`.
    pub fn evict_all(&self, mem_type: MemType) -> Result {
        let man = self.manager(mem_type)?;
        // SAFETY: The manager is that of the device, which is initialised.
        to_result(unsafe { bindings::ttm_resource_manager_evict_all(self.ready()?, man) })
    }

    /// Returns whether evictions from a memory type are under way: what they have moved counts as
    /// gone, while the moves have yet to read it.
    ///
    /// `ENODEV` before the device is up, `EINVAL` when it has no such type or it is
    /// [`MemType::SYSTEM`].
    ///
    /// C: what `ttm_resource_manager_evict_all()` waits for in the end.
    pub fn is_evicting(&self, mem_type: MemType) -> Result<bool> {
        let man = self.manager(mem_type)?;
        // SAFETY: The manager is that of the device.
        Ok(unsafe { bindings::rgt_ttm_resource_manager_is_evicting(man) })
    }

    /// Returns the manager of a memory type that has one of the driver's.
    fn manager(&self, mem_type: MemType) -> Result<*mut bindings::ttm_resource_manager> {
        let bdev = self.ready()?;
        // SAFETY: The device is initialised; its managers do not change any more.
        let man = unsafe { (*bdev).man_drv.get(mem_type.as_raw() as usize).copied() };

        match man {
            Some(man) if !man.is_null() && mem_type != MemType::SYSTEM => Ok(man),
            _ => Err(EINVAL),
        }
    }
}
