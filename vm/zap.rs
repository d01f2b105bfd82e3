// SPDX-License-Identifier: GPL-2.0

//! Taking BOs that move out of page tables.

use kernel::prelude::*;

use super::{
    pieces::for_each_piece,
    trace,
    VmData, //
};
use crate::{
    bo::{
        Bo,
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

/// Takes a BO that no job uses out of the page tables of all VMs, because it is about to move.
///
/// When it returns no access of the GPU reaches the BO through a VM any more. The next job that
/// has the BO in its list, or whose VM it is private to, maps it where it is then.
pub(crate) fn zap(bo: &Bo) {
    let device = device::enter(bo.device());
    let mut last = None;

    for_each_mapping::<VmData>(bo, |vm, mapping| {
        if mapping.is_stale() {
            return;
        }
        mapping.set_stale(true);
        vm.set_stale();
        trace::zapped(bo, mapping.range(), false);

        // Without the device there are no page tables, nor has a closed VM any.
        if let (Some(device), Ok(space)) = (&device, vm.space()) {
            device.registration_data_with(|gpu| {
                gpu.space_unmap(space, mapping.range());
                last = gpu.space_invalidate(space, mapping.range()).or(last);
            });
        }
    });
    if let (Some(device), Some(last)) = (&device, last) {
        device.registration_data_with(|gpu| gpu.wait_invalidated(last));
    }
}

/// Notes which page-table entries have to go before what backs a BO now is given to others.
///
/// For a BO that jobs still use, and that they wait for who come later. [`mark_stale()`] has to
/// follow when the move is sure to happen.
pub(crate) fn deferred_zap(bo: &Reserved<'_>, gpu: &Gpu) -> Result<DeferredUnmaps> {
    let mut unmaps = gpu.deferred_unmaps();
    let mut room = 0;

    // The lock of the mappings is taken when memory is reclaimed: nothing is allocated under it.
    loop {
        unmaps.reserve(room)?;
        let (mut pushed, mut missing) = (0, 0);
        for_each_mapping::<VmData>(bo.bo(), |vm, mapping| {
            let Ok(space) = vm.space() else {
                return;
            };
            if mapping.is_stale() {
                return;
            }
            // A mapping is never larger than its BO, which is not moving.
            let _ = for_each_piece(bo, mapping, |va, backing| {
                match unmaps.push(space, va, backing) {
                    Ok(()) => pushed += 1,
                    Err(_) => missing += 1,
                }
                Ok(())
            });
        });
        if missing == 0 {
            return Ok(unmaps);
        }
        unmaps = gpu.deferred_unmaps();
        room = pushed + missing;
    }
}

/// Has the next job that uses a BO write its page-table entries anew.
pub(crate) fn mark_stale(bo: &Reserved<'_>) {
    for_each_mapping::<VmData>(bo.bo(), |vm, mapping| {
        if !mapping.is_stale() {
            trace::zapped(bo, mapping.range(), true);
        }
        mapping.set_stale(true);
        vm.set_stale();
    });
}
