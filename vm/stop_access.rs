// SPDX-License-Identifier: GPL-2.0

//! The end of the device's access to what was taken out of page tables.

use crate::{
    device::RgtDevice,
    hw::Invalidation,
    rust::drm::device, //
};

/// Waits until the device does not use what was taken out of page tables: for the last of the
/// invalidations, and for updates that may have removed it just before.
pub(super) fn stop_access(dev: &RgtDevice, last: Option<Invalidation>) {
    // Without the device there are no page tables.
    if let Some(device) = device::enter(dev) {
        device.registration_data_with(|gpu| {
            if let Some(last) = last {
                gpu.wait_invalidated(last);
            }
            gpu.wait_updates();
        });
    }
}
