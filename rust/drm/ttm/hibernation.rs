// SPDX-License-Identifier: GPL-2.0 OR MIT

//! System pages that are not to be in the image of a hibernation.
//!
//! The image has to fit into half of the memory. What was in device-local memory is in system pages
//! by then, which cannot be reclaimed.
//!
//! C header: [`include/drm/ttm/ttm_device.h`](srctree/include/drm/ttm/ttm_device.h)

use kernel::{
    error::to_result,
    prelude::*, //
};

use super::{
    Device,
    Driver,
    MemType,
    OperationCtx, //
};
use crate::rust::bindings;

impl<T: Driver> Device<T> {
    /// Moves the system pages of BOs to shmem, from where the kernel swaps them out, after waiting
    /// for the jobs that use them.
    ///
    /// BOs that are pinned or reserved by others keep theirs, and all that are left do when there is
    /// no room in swap. A driver stops jobs before, and evicts what is in device-local memory, see
    /// [`Self::evict_all()`]; what is validated afterwards gets pages again. Must not be called with
    /// a reservation held. `ENODEV` before the device is up, `ERESTARTSYS` when a signal came.
    ///
    /// C: `ttm_device_prepare_hibernation()`.
    pub fn prepare_hibernation(&self) -> Result {
        let bdev = self.ready()?;
        if self.uses_dma_alloc() {
            // What is not backed up by a driver is swapped out by TTM.
            // SAFETY: The device is initialised.
            return to_result(unsafe { bindings::ttm_device_prepare_hibernation(bdev) });
        }

        for mem_type in (0..MemType::COUNT as u32).map(MemType::from_raw) {
            if !self.has_pages_in(mem_type) {
                continue;
            }
            pin_init::stack_pin_init!(
                let walk = self.walk_lru(mem_type, OperationCtx::new(true))?
            );
            while let Some(mut at) = walk.as_mut().next() {
                // Otherwise it may have no pages, or be pinned.
                if at.bo.back_up(at.ctx, true) == Err(ERESTARTSYS) {
                    return Err(ERESTARTSYS);
                }
            }
        }
        Ok(())
    }

    /// Returns whether a memory type is one of system pages.
    fn has_pages_in(&self, mem_type: MemType) -> bool {
        self.ready().is_ok_and(|bdev| {
            // SAFETY: The device is initialised, and its managers do not change any more.
            unsafe {
                (*bdev)
                    .man_drv
                    .get(mem_type.as_raw() as usize)
                    .and_then(|man| man.as_ref())
                    .is_some_and(|man| man.use_tt)
            }
        })
    }
}
