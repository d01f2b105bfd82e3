// SPDX-License-Identifier: GPL-2.0

//! Keeping page tables true to where BOs are.

use super::{
    Vm,
    VmData, //
};
use crate::{
    bo::{
        for_each_extent,
        validate,
        Bo,
        Reserved, //
    },
    hw::Gpu,
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
use core::ptr;
use kernel::{
    prelude::*,
    sync::aref::ARef,
    types::ScopeGuard, //
};

/// Takes a BO out of the page tables of all VMs, because it is about to move.
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

        // Without the device there are no page tables.
        if let Some(device) = &device {
            // A closed VM has no page tables either.
            let _ = vm.with_space(|space| {
                device.registration_data_with(|gpu| {
                    gpu.space_unmap(space, mapping.range());
                    gpu.space_flush(space, mapping.range());
                });
                Ok(())
            });
        }
    });
}

/// Writes the page-table entries of all stale mappings of BOs that `locks` has locked.
///
/// The BOs of the job's list must have been validated; those that are private to the VM are
/// validated here.
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

    for bo in private_stale(vm)? {
        validate(&mut Reserved::of_exec(locks, &bo)?, User::Gpu, ctx)?;
    }

    let mut all = true;
    vm.lock().for_each(|mapping| {
        if !mapping.is_stale() {
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

/// Returns the private BOs of a VM that have stale mappings.
///
/// Validating them takes reservations, which come before the lock of the mappings. A BO may come
/// up more than once, but not for mappings in a row.
fn private_stale(vm: &Vm) -> Result<KVVec<ARef<Bo>>> {
    let mut bos = KVVec::<ARef<Bo>>::new();

    vm.lock().for_each(|mapping| {
        let bo = mapping.bo();
        let seen = bos.last().is_some_and(|last| ptr::eq(&**last, bo));
        if mapping.is_stale() && bo.private.is_some() && !seen {
            bos.push(bo.into(), GFP_KERNEL)?;
        }
        Ok(())
    })?;
    Ok(bos)
}

fn write_entries(vm: &Vm, gpu: &Gpu, mapping: &Mapping<VmData>, bo: &Reserved<'_>) -> Result {
    let va = mapping.range();
    let start = mapping.offset();
    let bytes = start..start + (va.end - va.start);

    vm.with_space(|space| {
        for_each_extent(bo, bytes, |offset, size, backing| {
            let at = va.start + (offset - start);
            gpu.space_map(space, at, size, backing, mapping.writable())
        })
        .inspect_err(|_| {
            // A stale mapping has no entries.
            gpu.space_unmap(space, va.clone());
            gpu.space_flush(space, va.clone());
        })
    })
}
