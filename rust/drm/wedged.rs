// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Events that tell user space of devices that failed.
//!
//! C header: [`include/drm/drm_drv.h`](srctree/include/drm/drm_drv.h)

use kernel::{
    drm::{
        self,
        Registered, //
    },
    error::to_result,
    prelude::*, //
};

use super::device;
use crate::rust::bindings;

/// Recovery methods of a device that failed; combine with [`Self::or`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recovery(c_ulong);

impl Recovery {
    /// Nothing has to be done: the driver has recovered it.
    pub const NONE: Self = Self(bindings::RGT_WEDGE_RECOVERY_NONE);
    /// Unbinding the driver and binding it again.
    pub const REBIND: Self = Self(bindings::RGT_WEDGE_RECOVERY_REBIND);
    /// The same, with a reset of the device on the bus in between.
    pub const BUS_RESET: Self = Self(bindings::RGT_WEDGE_RECOVERY_BUS_RESET);

    /// Returns this and another way; user space tries first what has fewer side effects.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Sends the uevent that a device has failed, and what recovers it. Allocates and may sleep.
///
/// C: `drm_dev_wedged_event()`; see "Device Wedging" in `Documentation/gpu/drm-uapi.rst`.
pub fn wedged_event<T: drm::Driver>(
    dev: &drm::Device<T, Registered>,
    recovery: Recovery,
) -> Result {
    let dev: &drm::Device<T> = dev;

    // SAFETY: The device is registered and stays so during the call: its minors are there. Without
    // information on a task, none is told.
    to_result(unsafe {
        bindings::drm_dev_wedged_event(device::raw(dev), recovery.0, core::ptr::null_mut())
    })
}
