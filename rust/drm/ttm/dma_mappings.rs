// SPDX-License-Identifier: GPL-2.0 OR MIT

//! DMA mappings of a device's buffer objects, which end with its binding.

use kernel::{
    drm,
    sync::{
        aref::ARef,
        atomic::Relaxed, //
    }, //
};

use super::{
    Device,
    Driver, //
};
use crate::rust::bindings;

/// Unmaps all system pages from the device, and frees them, when it is dropped. By then importers
/// have unmapped its BOs: all device-local memory, and system pages that were not pinned.
///
/// The hardware must have stopped, and all fences of the device must have signalled. BOs can
/// outlive the binding of the device, DMA mappings may not: keep this in the bus device's data, so
/// that it is dropped after the DRM registration and before the binding ends.
pub struct DmaMappings<T: Driver>(ARef<drm::Device<T>>);

impl<T: Driver> DmaMappings<T> {
    /// Creates the guard of the mappings of `dev`.
    pub fn new(dev: &drm::Device<T>) -> Self {
        Self(dev.into())
    }
}

impl<T: Driver> Drop for DmaMappings<T> {
    fn drop(&mut self) {
        let dev = Device::of(&*self.0);
        dev.unbound.store(true, Relaxed);
        let _ = dev.for_each_bo(|bo| {
            bo.leave_bulk_move();
            bo.leave_device();
            Ok(())
        });
        if let Ok(bdev) = dev.ready() {
            // SAFETY: The device is initialised. All of its fences have signalled, as the driver
            // stops the hardware first.
            unsafe { bindings::rgt_ttm_device_purge(bdev) };
        }
    }
}
