// SPDX-License-Identifier: GPL-2.0

//! Rebinding: bringing page tables up to date with the places of BOs.

use core::ptr;

use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Relaxed, //
    },
    types::ScopeGuard, //
};

use super::{
    data::{
        Vm,
        VmData, //
    },
    mapping::segments, //
};
use crate::{
    bo::{
        validate_all,
        Bo,
        Effort,
        Reserved, //
    },
    fence::Dependencies,
    hw::{
        Backing,
        DeferredMaps, //
    },
    rust::{
        dma_fence::Fence,
        dma_resv::Usage,
        drm::{
            exec::{
                Exec,
                ExecLocks, //
            },
            gpuvm::Mapping,
            sched::UnarmedJob,
            ttm::OperationCtx, //
        }, //
    },
    sched::BindJob, //
};

/// Page-table entries to be written when the moves of their BOs are done.
pub(crate) struct Binds {
    maps: DeferredMaps,
    moves: Dependencies,
}

/// The job that writes them.
pub(crate) struct BindsJob<'a>(UnarmedJob<'a, BindJob>);

/// Brings the page-table entries of all stale mappings of BOs up to date that `locks` has locked.
///
/// The BOs of the job's list must have been validated; those that are private to the VM are
/// validated here. If any of them is still moving, nothing is written: the binds that are returned
/// have to be submitted before any job that is to follow.
pub(crate) fn rebind(
    vm: &Vm,
    locks: &mut ExecLocks<'_>,
    effort: Effort,
    ctx: &mut OperationCtx,
) -> Result<Option<Binds>> {
    if !vm.is_stale() {
        return Ok(None);
    }
    let bos = stale_bos(vm)?;
    let private = bos.iter().filter(|bo| bo.private.is_some());
    validate_all(locks, private.map(|bo| &**bo), effort, ctx)?;

    // Not before all moves are under way.
    let mut moves = Dependencies::new();
    for bo in &bos {
        if let Ok(mut bo) = Reserved::of_exec(locks, bo) {
            moves.add_resv(&bo.locked_resv(), Usage::Kernel)?;
        }
    }
    if moves.is_empty() {
        write_all(vm, locks)?;
        return Ok(None);
    }

    let space = vm.space()?;
    let mut maps = DeferredMaps::new(&space)?;
    for_each_stale(vm, |mapping| {
        let Ok(bo) = Reserved::of_exec(locks, mapping.bo()) else {
            return Ok(());
        };
        for (va, backing) in segments(&bo, mapping)? {
            note_use(vm, backing);
            maps.push(va, backing, mapping.writable(), &bo.lost)?;
        }
        Ok(())
    })?;
    maps.allocate()?;
    Ok(Some(Binds { maps, moves }))
}

impl Binds {
    /// Returns the job. Submitting it does not fail.
    pub(crate) fn into_job(self, vm: &Vm) -> Result<BindsJob<'_>> {
        Ok(BindsJob(vm.binds.job(self.maps, &self.moves)?))
    }
}

impl BindsJob<'_> {
    /// Submits the job, for a caller whose `exec` has held all locks since [`rebind()`]. `publish`
    /// puts its fence on the reservations of the VM and the BOs.
    pub(crate) fn submit(self, vm: &Vm, exec: &Exec, publish: impl FnOnce(&Fence)) -> ARef<Fence> {
        let stale = vm.take_stale();
        let mut all = true;
        // The closure does not fail.
        let _ = for_each_stale(vm, |mapping| {
            match exec.resv_of(mapping.bo().as_gem()) {
                Ok(_) => mapping.set_stale(false),
                Err(_) => all = false,
            }
            Ok(())
        });
        if stale && !all {
            vm.set_stale();
        }

        let fence = self.0.submit(publish);
        *vm.last_bind.lock() = Some(fence.clone());
        fence
    }
}

/// Writes the entries of all stale mappings of BOs that `locks` has locked, and that have arrived.
fn write_all(vm: &Vm, locks: &mut ExecLocks<'_>) -> Result {
    vm.take_stale();
    let stale = ScopeGuard::new(|| vm.set_stale());

    let mut all = true;
    for_each_stale(vm, |mapping| {
        let Ok(bo) = Reserved::of_exec(locks, mapping.bo()) else {
            all = false;
            return Ok(());
        };
        write_entries(vm, mapping, &bo)?;
        mapping.set_stale(false);
        Ok(())
    })?;

    if all {
        stale.dismiss();
    }
    Ok(())
}

/// Calls `f` with the stale mappings of BOs that can be used. Others have no place;
/// [`GpuMappings::mark_for_rebind()`](crate::bo::GpuMappings::mark_for_rebind) follows when they
/// can.
fn for_each_stale(vm: &Vm, mut f: impl FnMut(&Mapping<VmData>) -> Result) -> Result {
    vm.lock().for_each(|mapping| {
        if mapping.is_stale() && mapping.bo().advice.is_usable() {
            f(mapping)
        } else {
            Ok(())
        }
    })
}

/// Returns the BOs of a VM that have stale mappings and can be used.
///
/// Validating them takes reservations, which come before the lock of the mappings. A BO may come
/// up more than once, but not for mappings in a row.
fn stale_bos(vm: &Vm) -> Result<KVVec<ARef<Bo>>> {
    let mut bos = KVVec::<ARef<Bo>>::new();

    for_each_stale(vm, |mapping| {
        let bo = mapping.bo();
        if !bos.last().is_some_and(|last| ptr::eq(&**last, bo)) {
            bos.push(bo.into(), GFP_KERNEL)?;
        }
        Ok(())
    })?;
    Ok(bos)
}

/// Notes that jobs of a VM use memory that does not survive a reset of the device.
fn note_use(vm: &Vm, backing: Backing) {
    if !matches!(backing, Backing::System(_)) {
        vm.uses_vram.store(true, Relaxed);
    }
}

fn write_entries(vm: &Vm, mapping: &Mapping<VmData>, bo: &Reserved<'_>) -> Result {
    let space = vm.space()?;
    let va = mapping.range();
    let mut tables = space.tables()?;
    tables.add_for_segments(segments(bo, mapping)?)?;

    let undo = ScopeGuard::new(|| {
        // A stale mapping has no entries.
        space.unmap(&mapping.range());
        space.flush(mapping.range());
    });
    let segments = segments(bo, mapping)?.inspect(|(_, backing)| note_use(vm, *backing));
    space.map(&va, segments, mapping.writable(), &mut tables)?;
    undo.dismiss();
    Ok(())
}
