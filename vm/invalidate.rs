// SPDX-License-Identifier: GPL-2.0

//! Invalidation of mappings: page-table entries of BOs that move.

use kernel::prelude::*;

use super::{
    data::VmData,
    mapping::segments,
    trace, //
};
use crate::{
    bo::{
        Bo,
        GpuMappings,
        Reserved, //
    },
    hw::{
        DeferredUnmaps,
        Gpu, //
    },
    rust::drm::{
        device,
        gpuvm::for_each_mapping, //
    }, //
};

/// The mappings of a device's BOs in all of its VMs.
pub(crate) struct Mappings;

impl GpuMappings for Mappings {
    fn invalidate(&self, bo: &Bo) {
        let device = device::enter(bo.device());
        let mut last = None;

        for_each_mapping::<VmData>(bo, |vm, mapping| {
            if mapping.is_stale() {
                return;
            }
            mapping.set_stale(true);
            vm.set_stale();
            trace::invalidated(bo, mapping.range(), false);

            // A closed VM has page tables until its last job has ended.
            if let Some(space) = vm.live_space() {
                space.unmap(&mapping.range());
                last = space.invalidate(mapping.range()).or(last);
            }
        });
        if let (Some(device), Some(last)) = (&device, last) {
            device.registration_data_with(|gpu| gpu.wait_invalidated(last));
        }
    }

    fn defer_invalidation(&self, bo: &Reserved<'_>, gpu: &Gpu) -> Result<DeferredUnmaps> {
        let mut unmaps = gpu.deferred_unmaps();
        let mut room = 0;

        // The lock of the mappings is taken in reclaim: nothing is allocated under it.
        loop {
            unmaps.reserve(room)?;
            let (mut pushed, mut missing) = (0, 0);
            for_each_mapping::<VmData>(bo.bo(), |vm, mapping| {
                let Some(space) = vm.live_space() else {
                    return;
                };
                if mapping.is_stale() {
                    return;
                }
                // A mapping is never larger than its BO, which is not moving.
                for (va, backing) in segments(bo, mapping).into_iter().flatten() {
                    match unmaps.push(&space, va, backing) {
                        Ok(()) => pushed += 1,
                        Err(_) => missing += 1,
                    }
                }
            });
            if missing == 0 {
                return Ok(unmaps);
            }
            unmaps = gpu.deferred_unmaps();
            room = pushed + missing;
        }
    }

    fn mark_invalidated(&self, bo: &Reserved<'_>) {
        for_each_mapping::<VmData>(bo.bo(), |vm, mapping| {
            if !mapping.is_stale() {
                trace::invalidated(bo, mapping.range(), true);
            }
            mapping.set_stale(true);
            vm.set_stale();
        });
    }

    fn mark_for_rebind(&self, bo: &Bo) {
        for_each_mapping::<VmData>(bo, |vm, mapping| {
            if mapping.is_stale() {
                vm.set_stale();
            }
        });
    }
}
