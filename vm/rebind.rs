// SPDX-License-Identifier: GPL-2.0

//! Keeping page tables true to where BOs are.

use super::{
    trace,
    Vm,
    VmData, //
};
use crate::{
    bo::{
        for_each_extent,
        validate,
        wait_moved,
        Bo,
        Reserved, //
    },
    hw::{
        Backing,
        DeferredUnmaps,
        Gpu, //
    },
    placement::User,
    rust::drm::{
        device,
        exec::ExecLocks,
        gpuvm::{
            for_each_mapping,
            Mapping, //
        },
        ttm::OperationCtx, //
    }, //
};
use core::{
    ops::Range,
    ptr, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef,
    types::ScopeGuard, //
};

/// Takes a BO that no job uses out of the page tables of all VMs, because it is about to move.
///
/// When it returns no access of the GPU reaches the BO through a VM any more. The next job that
/// has the BO in its list, or whose VM it is private to, maps it where it is then.
pub(crate) fn zap(bo: &Bo) {
    let device = device::enter(bo.device());

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
                gpu.space_flush(space, mapping.range());
            });
        }
    });
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

/// Has the next jobs map a BO again that could not be used for a while.
pub(crate) fn renew(bo: &Bo) {
    for_each_mapping::<VmData>(bo, |vm, mapping| {
        if mapping.is_stale() {
            vm.set_stale();
        }
    });
}

/// Writes the page-table entries of all stale mappings of BOs that `locks` has locked.
///
/// The BOs of the job's list must have been validated; those that are private to the VM are
/// validated here. Waits for the moves of those whose entries it writes: jobs that do not wait for
/// a move use the same page tables.
pub(crate) fn rebind(
    vm: &Vm,
    gpu: &Gpu,
    locks: &mut ExecLocks<'_>,
    ctx: &mut OperationCtx,
) -> Result {
    if !vm.take_stale() {
        return Ok(());
    }
    let stale = ScopeGuard::new(|| vm.set_stale());

    let bos = stale_bos(vm)?;
    for bo in bos.iter().filter(|bo| bo.private.is_some()) {
        validate(&mut Reserved::of_exec(locks, bo)?, User::Gpu, ctx)?;
    }
    // Not before all moves are under way.
    for bo in &bos {
        if let Ok(bo) = Reserved::of_exec(locks, bo) {
            wait_moved(&bo)?;
        }
    }

    let mut all = true;
    vm.lock().for_each(|mapping| {
        // What cannot be used has no place; `renew()` follows when it can.
        if !mapping.is_stale() || !mapping.bo().advice.is_usable() {
            return Ok(());
        }
        let Ok(bo) = Reserved::of_exec(locks, mapping.bo()) else {
            all = false;
            return Ok(());
        };
        write_entries(vm, gpu, mapping, &bo)?;
        mapping.set_stale(false);
        Ok(())
    })?;

    if all {
        stale.dismiss();
    }
    Ok(())
}

/// Returns the BOs of a VM that have stale mappings and can be used.
///
/// Validating them takes reservations, which come before the lock of the mappings. A BO may come
/// up more than once, but not for mappings in a row.
fn stale_bos(vm: &Vm) -> Result<KVVec<ARef<Bo>>> {
    let mut bos = KVVec::<ARef<Bo>>::new();

    vm.lock().for_each(|mapping| {
        let bo = mapping.bo();
        let seen = bos.last().is_some_and(|last| ptr::eq(&**last, bo));
        if mapping.is_stale() && !seen && bo.advice.is_usable() {
            bos.push(bo.into(), GFP_KERNEL)?;
        }
        Ok(())
    })?;
    Ok(bos)
}

/// Calls `f` with the addresses and the backing of each piece of a mapping that is contiguous.
fn for_each_piece(
    bo: &Reserved<'_>,
    mapping: &Mapping<VmData>,
    mut f: impl FnMut(Range<u64>, Backing) -> Result,
) -> Result {
    let va = mapping.range();
    let start = mapping.offset();
    let bytes = start..start + (va.end - va.start);

    for_each_extent(bo, bytes, |offset, size, backing| {
        let at = va.start + (offset - start);
        f(at..at + size, backing)
    })
}

fn write_entries(vm: &Vm, gpu: &Gpu, mapping: &Mapping<VmData>, bo: &Reserved<'_>) -> Result {
    let space = vm.space()?;

    for_each_piece(bo, mapping, |va, backing| {
        gpu.space_map(
            space,
            va.start,
            va.end - va.start,
            backing,
            mapping.writable(),
        )
    })
    .inspect_err(|_| {
        // A stale mapping has no entries.
        gpu.space_unmap(space, mapping.range());
        gpu.space_flush(space, mapping.range());
    })
}
