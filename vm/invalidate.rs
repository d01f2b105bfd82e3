// SPDX-License-Identifier: GPL-2.0

//! Invalidation: taking BOs that move out of page tables.

use super::{
    data::VmData,
    stop_access::stop_access,
    trace, //
};
use crate::{
    bo::{
        Bo,
        GpuMappings,
        Reserved, //
    },
    rust::drm::gpuvm::{
        evict,
        for_each_mapping, //
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
