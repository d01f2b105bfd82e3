// SPDX-License-Identifier: GPL-2.0

//! What the job of a bind does: changes of the mappings and, along with them, of the page tables.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};

use super::{
    backing::BoBacking,
    cleanup::Cleanup,
    data::{
        Access,
        Vm,
        VmData, //
    },
    leaves::QueuedLeaves, //
};
use crate::{
    hw::{
        SpaceUpdate,
        Tables, //
    },
    rust::drm::gpuvm::{
        GpuVmGuard,
        MappingAllocs,
        VmBo, //
    },
    sched::PageTableUpdate, //
};

/// A change of a VM's mappings, with all that it takes.
pub(super) enum Change {
    /// Map a part of a BO in place of what is there.
    Map {
        allocs: MappingAllocs<VmData>,
        tables: Tables,
        vm_bo: VmBo<VmData>,
        offset: u64,
        va: Range<u64>,
        /// [`None`] for a BO that cannot be used now.
        backing: Option<BoBacking>,
        access: Access,
        _leaves: QueuedLeaves,
    },
    /// Map nothing in place of what is there.
    Null {
        allocs: MappingAllocs<VmData>,
        tables: Tables,
        va: Range<u64>,
    },
    /// Unmap a range.
    Unmap {
        allocs: MappingAllocs<VmData>,
        tables: Tables,
        va: Range<u64>,
    },
    /// Unmap a BO wherever it is mapped.
    UnmapAll { vm_bo: VmBo<VmData> },
    /// Write the entries of all mappings of a BO anew.
    Rebind {
        tables: Tables,
        vm_bo: VmBo<VmData>,
        backing: BoBacking,
    },
}

/// The changes of a bind.
pub(super) struct Update {
    pub(super) changes: KVVec<Change>,
    pub(super) cleanup: Arc<Cleanup>,
}

impl PageTableUpdate for Update {
    fn run(self: KBox<Self>) -> Result {
        let Self { changes, cleanup } = KBox::into_inner(self);

        let done = apply(&cleanup.vm, changes);
        // Mappings, and references to what they are of, are gone, also if it has failed.
        cleanup.enqueue();
        done
    }
}

/// Makes changes in their order. Neither allocates nor waits for a reservation.
fn apply(vm: &Vm, changes: KVVec<Change>) -> Result {
    let mut update = vm.space.update();
    let mut mappings = vm.lock();

    changes
        .into_iter()
        .try_for_each(|change| apply_one(vm, &mut update, &mut mappings, change))
}

fn apply_one(
    vm: &Vm,
    update: &mut SpaceUpdate<'_>,
    mappings: &mut GpuVmGuard<'_, VmData>,
    change: Change,
) -> Result {
    match change {
        Change::Map {
            allocs,
            mut tables,
            vm_bo,
            offset,
            va,
            backing,
            access,
            ..
        } => {
            // This cuts what is there at both ends of the range.
            update.insert(&va, &mut tables)?;
            mappings.map(
                allocs,
                Some(&vm_bo),
                offset,
                va.clone(),
                access,
                &mut |removed| update.remove(removed),
            )?;
            if let Some(backing) = backing {
                write(vm, update, &backing, va, offset, access, &mut tables);
            }
            Ok(())
        }
        Change::Null {
            allocs,
            mut tables,
            va,
        } => {
            update.insert_null(&va, &mut tables)?;
            mappings.map(allocs, None, 0, va.clone(), Access::Write, &mut |removed| {
                update.remove(removed)
            })?;
            update.map_null(&va)
        }
        Change::Unmap {
            allocs,
            mut tables,
            va,
        } => {
            update.cut(&va, &mut tables)?;
            mappings.unmap(allocs, va, &mut |removed| update.remove(removed))
        }
        Change::UnmapAll { vm_bo } => {
            mappings.unmap_all(&vm_bo, &mut |removed| update.remove(removed))
        }
        Change::Rebind {
            mut tables,
            vm_bo,
            backing,
        } => vm_bo.for_each_mapping(mappings, |mapping| {
            write(
                vm,
                update,
                &backing,
                mapping.range(),
                mapping.offset(),
                mapping.data(),
                &mut tables,
            )
        }),
    }
}

/// Writes the entries of a mapping, unless the content of its BO is lost.
fn write(
    vm: &Vm,
    update: &mut SpaceUpdate<'_>,
    backing: &BoBacking,
    va: Range<u64>,
    offset: u64,
    access: Access,
    tables: &mut Tables,
) {
    if backing.is_lost() {
        vm.lost.store(true, Relaxed);
        return;
    }
    let segments = backing.segments(va.clone(), offset);
    let done = update.map(&va, segments, access == Access::Write, tables);
    // There are tables enough, until the device has none any more.
    kernel::warn_on!(done.is_err_and(|err| err != ENODEV));
}
