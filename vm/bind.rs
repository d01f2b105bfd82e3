// SPDX-License-Identifier: GPL-2.0

//! Binding and unbinding addresses of a VM.

use core::ops::Range;

use kernel::prelude::*;

use super::data::{
    Vm,
    VmData, //
};
use crate::{
    bo::Bo,
    device::RgtDevice,
    hw::{
        Space,
        Tables, //
    },
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
/// the VM is closed.
pub(crate) fn map(
    vm: &Vm,
    bo: &Bo,
    offset: u64,
    va: Range<u64>,
    writable: bool,
    replace: bool,
) -> Result {
    let unmap_alloc = UnmapAlloc::new()?;
    let mut tables = vm.space()?.tables_for(&va)?;
    // Last: the clean-up below frees it.
    let alloc = MapAlloc::new(vm, bo)?;

    let done = settled(vm).and_then(|_settled| {
        let mut mappings = vm.lock();
        check_vacant(bo.device(), &mappings, &va, replace)?;
        map_locked(
            vm,
            &mut mappings,
            alloc,
            replace.then_some(unmap_alloc),
            &mut tables,
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

/// Checks that nothing is mapped at the addresses `va`, unless it may be replaced.
fn check_vacant(
    dev: &RgtDevice,
    mappings: &GpuVmGuard<'_, VmData>,
    va: &Range<u64>,
    replace: bool,
) -> Result {
    if replace || mappings.is_vacant(va) {
        return Ok(());
    }
    drm_dbg!(
        dev,
        "VM_BIND: addr {:#x}: with size {:#x} not vacant\n",
        va.start,
        va.end - va.start
    );
    Err(EINVAL)
}

#[expect(clippy::too_many_arguments)]
fn map_locked(
    vm: &Vm,
    mappings: &mut GpuVmGuard<'_, VmData>,
    alloc: MapAlloc<VmData>,
    replace: Option<UnmapAlloc<VmData>>,
    tables: &mut Tables,
    offset: u64,
    va: Range<u64>,
    writable: bool,
) -> Result {
    let space = vm.space()?;
    // This cuts what is there at both ends of the range.
    space.insert(&va, tables)?;
    let done = match replace {
        Some(unmap_alloc) => unmap_locked(&space, mappings, unmap_alloc, va.clone()),
        None => Ok(()),
    }
    .and_then(|()| mappings.map(alloc, offset, va.clone(), writable));
    match done {
        Ok(()) => vm.set_stale(),
        Err(_) => space.release(va),
    }
    done
}

/// Unmaps the addresses `va`: mappings in it, the overlap of others, holes.
pub(crate) fn unmap(vm: &Vm, va: Range<u64>) -> Result {
    let mut tables = vm.space()?.tables_for_cut(&va)?;
    let alloc = UnmapAlloc::new()?;
    let done = settled(vm).and_then(|_settled| {
        let space = vm.space()?;
        space.cut(&va, &mut tables)?;
        unmap_locked(&space, &mut vm.lock(), alloc, va)
    });

    vm.cleanup();
    done
}

/// Unmaps the addresses `va`, which are cut out in the page tables.
fn unmap_locked(
    space: &Space,
    mappings: &mut GpuVmGuard<'_, VmData>,
    alloc: UnmapAlloc<VmData>,
    va: Range<u64>,
) -> Result {
    let mut removal = space.removal();

    mappings.unmap(alloc, va, &mut |removed| removal.add(&removed))
}
