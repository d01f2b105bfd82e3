// SPDX-License-Identifier: GPL-2.0

//! Binding and unbinding addresses of a VM.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

use super::data::{
    Vm,
    VmData,
    MOST_BOUND, //
};
use crate::{
    bo::Bo,
    device::RgtDevice,
    rust::{
        dma_resv::ResvGuard,
        drm::{
            gpuvm::{
                GpuVmGuard,
                MapAlloc,
                UnmapAlloc, //
            },
            print::drm_dbg, //
        }, //
    },
};

/// Maps the bytes of a BO from `offset` on at the addresses `va`.
///
/// Unless it may `replace` what is there, a range that is not vacant gives `EINVAL`. `ENOENT` when
/// the VM is closed, `ENOSPC` when it maps as much as it can.
pub(crate) fn map(
    vm: &Vm,
    bo: &Bo,
    offset: u64,
    va: Range<u64>,
    writable: bool,
    replace: bool,
) -> Result {
    let unmap_alloc = UnmapAlloc::new()?;
    // Last: the clean-up below frees it.
    let alloc = MapAlloc::new(vm, bo)?;

    let done = settled(vm).and_then(|_settled| {
        let mut mappings = vm.lock();
        check_room(vm, bo.device(), &mappings, &va, replace)?;
        map_locked(
            vm,
            &mut mappings,
            alloc,
            replace.then_some(unmap_alloc),
            offset,
            va,
            writable,
        )
    });
    vm.cleanup();
    done
}

/// Waits until the bind jobs for the present mappings have run, and keeps new ones from being
/// submitted.
fn settled(vm: &Vm) -> Result<ResvGuard<'_>> {
    let guard = vm.resv().lock_interruptible()?;

    vm.wait_bound()?;
    Ok(guard)
}

/// Checks that the VM may map something at the addresses `va`.
fn check_room(
    vm: &Vm,
    dev: &RgtDevice,
    mappings: &GpuVmGuard<'_, VmData>,
    va: &Range<u64>,
    replace: bool,
) -> Result {
    let size = va.end - va.start;
    if !replace && !mappings.is_vacant(va) {
        drm_dbg!(
            dev,
            "VM_BIND: addr {:#x}: with size {size:#x} not vacant\n",
            va.start
        );
        return Err(EINVAL);
    }
    if size > MOST_BOUND.saturating_sub(vm.bound.load(Relaxed)) {
        drm_dbg!(
            dev,
            "VM_BIND: size {size:#x}: with what is mapped more than {MOST_BOUND:#x}\n"
        );
        return Err(ENOSPC);
    }
    Ok(())
}

fn map_locked(
    vm: &Vm,
    mappings: &mut GpuVmGuard<'_, VmData>,
    alloc: MapAlloc<VmData>,
    replace: Option<UnmapAlloc<VmData>>,
    offset: u64,
    va: Range<u64>,
    writable: bool,
) -> Result {
    let size = va.end - va.start;
    let space = vm.space()?;
    space.prepare(va.clone())?;
    let done = match replace {
        Some(unmap_alloc) => unmap_locked(vm, mappings, unmap_alloc, va.clone()),
        None => Ok(()),
    }
    .and_then(|()| mappings.map(alloc, offset, va.clone(), writable));
    match done {
        Ok(()) => {
            vm.bound.fetch_add(size, Relaxed);
            vm.set_stale();
        }
        Err(_) => space.release(va),
    }
    done
}

/// Unmaps the addresses `va`: mappings in it, the overlap of others, holes.
pub(crate) fn unmap(vm: &Vm, va: Range<u64>) -> Result {
    let alloc = UnmapAlloc::new()?;
    let done = settled(vm).and_then(|_settled| unmap_locked(vm, &mut vm.lock(), alloc, va));

    vm.cleanup();
    done
}

fn unmap_locked(
    vm: &Vm,
    mappings: &mut GpuVmGuard<'_, VmData>,
    alloc: UnmapAlloc<VmData>,
    va: Range<u64>,
) -> Result {
    let space = vm.space()?;

    mappings.unmap(alloc, va, &mut |removed| {
        vm.bound.fetch_sub(removed.end - removed.start, Relaxed);
        space.unmap(removed.clone());
        space.release(removed);
    })
}
