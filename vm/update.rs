// SPDX-License-Identifier: GPL-2.0

//! What the job of a bind does: changes of the mappings and, along with them, of the page tables.

use core::{
    iter::{
        self,
        Peekable, //
    },
    ops::Range, //
};

use kernel::{
    dma::DmaAddress,
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};

use super::{
    backing::BoBacking,
    cleanup::QueuedCleanup,
    data::{
        Access,
        MappingData,
        Vm,
        VmData, //
    },
    leaves::QueuedLeaves,
    user::{
        UserMapping,
        UserRange, //
    }, //
};
use crate::{
    hw::{
        Backing,
        SpaceUpdate,
        Tables, //
    },
    rust::drm::{
        gpusvm::PageAddresses,
        gpuvm::{
            Content,
            GpuVmGuard,
            MappingAllocs,
            VmBo, //
        }, //
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
    /// Map memory of a process in place of what is there.
    MapUser {
        allocs: MappingAllocs<VmData>,
        tables: Tables,
        range: UserMapping,
        access: Access,
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
    /// Write the entries of all mappings of a range of a process's memory anew.
    RebindUser {
        tables: Tables,
        range: Arc<UserRange>,
    },
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
    /// Last: behind the changes, also if they are never made.
    pub(super) cleanup: QueuedCleanup,
}

impl PageTableUpdate for Update {
    fn run(self: KBox<Self>) -> Result {
        let Self { changes, cleanup } = KBox::into_inner(self);

        apply(&cleanup.vm, changes)
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
                Content::Bo(&vm_bo, offset),
                va.clone(),
                access.into(),
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
            mappings.map(
                allocs,
                Content::Sparse,
                va.clone(),
                Access::Write.into(),
                &mut |removed| update.remove(removed),
            )?;
            update.map_null(&va)
        }
        Change::MapUser {
            allocs,
            mut tables,
            range,
            access,
        } => {
            let va = range.va.clone();
            update.insert(&va, &mut tables)?;
            let data = MappingData {
                access,
                user: Some(range.clone()),
            };
            mappings.map(
                allocs,
                Content::Other(0),
                va.clone(),
                data,
                &mut |removed| update.remove(removed),
            )?;
            write_user(&range, |addresses| {
                let writable = access == Access::Write && addresses.is_writable();
                let mut runs = Runs(addresses.runs().peekable());
                check_written(update.map(&va, runs.segments(va.clone(), 0), writable, &mut tables));
            });
            Ok(())
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
        Change::RebindUser { mut tables, range } => {
            write_user(&range, |addresses| {
                // Its mappings come in the order of its pages.
                let mut runs = Runs(addresses.runs().peekable());
                mappings.for_each_in(&range.va, |mapping| {
                    let MappingData { access, user } = mapping.data();
                    if user.as_ref().is_some_and(|user| user.is_of(&range)) {
                        let va = mapping.range();
                        let writable = *access == Access::Write && addresses.is_writable();
                        let segments = runs.segments(va.clone(), mapping.offset());
                        check_written(update.map(&va, segments, writable, &mut tables));
                    }
                });
            });
            Ok(())
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
                mapping.data().access,
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
    check_written(update.map(&va, segments, access == Access::Write, tables));
}

/// Calls `write` to write entries of a process's memory, if its pages are there: if not, the next job
/// of the VM sees to it.
fn write_user(range: &UserRange, write: impl FnOnce(&PageAddresses<'_>)) {
    if let Ok(pages) = range.pages() {
        // With the lock held: until they are there no more, they are not taken out again.
        pages.with_addresses(write);
    }
}

/// The runs of a range's pages, passed through once for mappings of it that come in order.
struct Runs<I: Iterator<Item = (Range<u64>, DmaAddress)>>(Peekable<I>);

impl<I: Iterator<Item = (Range<u64>, DmaAddress)>> Runs<I> {
    /// Returns the memory of pages from `offset` on at the addresses `va`. None of earlier calls may
    /// be behind `offset`.
    fn segments(
        &mut self,
        va: Range<u64>,
        offset: u64,
    ) -> impl Iterator<Item = (Range<u64>, Backing)> + '_ {
        let end = offset + (va.end - va.start);
        let mut from = offset;

        iter::from_fn(move || {
            while self.0.next_if(|(bytes, _)| bytes.end <= from).is_some() {}
            let (bytes, address) = self.0.peek()?;
            if from == end {
                return None;
            }
            let to = bytes.end.min(end);
            let at = va.start + (from - offset);
            let backing = Backing::System(*address).plus(from - bytes.start);
            let segment = (at..at + (to - from), backing);
            from = to;
            Some(segment)
        })
    }
}

fn check_written(done: Result) {
    // There are tables enough, until the device has none any more.
    kernel::warn_on!(done.is_err_and(|err| err != ENODEV));
}
