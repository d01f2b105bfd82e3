// SPDX-License-Identifier: GPL-2.0

//! Invalidation: taking memory that moves out of page tables.

use super::{
    data::VmData,
    trace, //
};
use crate::{
    bo::{
        Bo,
        GpuMappings,
        Reserved, //
    },
    device::RgtDevice,
    hw::Invalidation,
    rust::drm::{
        device,
        gpuvm::{
            evict,
            for_each_mapping, //
        }, //
    }, //
};

/// The mappings of a device's BOs in all of its VMs.
pub(crate) struct Mappings;

impl GpuMappings for Mappings {
    fn evict(&self, bo: &Reserved<'_>) {
        evict::<VmData>(bo);
    }

    fn unmap(&self, bo: &Bo) {
        let mut last = None;

        for_each_mapping::<VmData>(bo, |vm, mapping| {
            trace::invalidated(bo, mapping.range());
            vm.space.unmap(&mapping.range());
            last = vm.space.invalidate(mapping.range()).or(last);
        });
        stop_access(bo.device(), last);
    }
}

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
