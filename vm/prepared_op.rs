// SPDX-License-Identifier: GPL-2.0

//! Operations of VM_BIND with all that they take: memory, page tables, and the BOs' backing.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    backing::BoBacking,
    data::{
        Access,
        Vm,
        VmData, //
    },
    leaves::QueuedLeaves,
    op::BindOp,
    update::Change,
    user::{
        prefetch as prefetch_user,
        UserMapping,
        UserRange, //
    }, //
};
use crate::{
    bo::{
        prefetch,
        Reserved, //
    },
    device::RgtDevice,
    fence::Dependencies,
    hw::Tables,
    rust::drm::{
        exec::ExecLocks,
        gpuvm::{
            MappingAllocs,
            VmBo, //
        },
        ttm::{
            MemType,
            OperationCtx, //
        }, //
    }, //
};

/// An operation, with the memory of processes that it takes fetched.
pub(super) struct FetchedOp<'a> {
    op: &'a BindOp,
    /// The range of a `USERPTR`.
    mapped: Option<UserMapping>,
    /// The ranges of a `PREFETCH`.
    prefetched: KVVec<Arc<UserRange>>,
}

impl<'a> FetchedOp<'a> {
    /// Fetches the memory of a process that an operation maps or prefetches, which may take any time:
    /// `EFAULT` where there is none that a device may access.
    pub(super) fn new(dev: &RgtDevice, vm: &Vm, op: &'a BindOp) -> Result<Self> {
        let mut this = Self {
            op,
            mapped: None,
            prefetched: KVVec::new(),
        };

        match op {
            BindOp::Userptr {
                address,
                va,
                access,
            } => this.mapped = Some(UserRange::add(vm, dev, *address, va, *access)?),
            BindOp::Prefetch { va, .. } => this.prefetched = prefetch_user(vm, va)?,
            _ => {}
        }
        Ok(this)
    }
}

/// An operation with all that it takes.
pub(super) enum PreparedOp<'a> {
    Map {
        vm_bo: VmBo<VmData>,
        offset: u64,
        va: &'a Range<u64>,
        access: Access,
        allocs: MappingAllocs<VmData>,
        tables: Tables,
        leaves: QueuedLeaves,
        /// [`None`] for a BO that cannot be used now: the first job that finds it usable maps it.
        backing: Option<BoBacking>,
    },
    Userptr {
        range: UserMapping,
        access: Access,
        allocs: MappingAllocs<VmData>,
        tables: Tables,
    },
    Null {
        va: &'a Range<u64>,
        allocs: MappingAllocs<VmData>,
        tables: Tables,
    },
    Unmap {
        va: &'a Range<u64>,
        allocs: MappingAllocs<VmData>,
        tables: Tables,
    },
    UnmapAll {
        vm_bo: VmBo<VmData>,
    },
    Prefetch {
        region: MemType,
        vm_bos: KVVec<VmBo<VmData>>,
        user: KVVec<Arc<UserRange>>,
    },
}

impl<'a> PreparedOp<'a> {
    /// Allocates for an operation.
    pub(super) fn new(vm: &Vm, fetched: FetchedOp<'a>) -> Result<Self> {
        let FetchedOp {
            op,
            mapped,
            prefetched,
        } = fetched;

        Ok(match op {
            BindOp::Map {
                bo,
                offset,
                va,
                access,
            } => Self::Map {
                vm_bo: VmBo::new(vm, bo)?,
                offset: *offset,
                va,
                access: *access,
                allocs: MappingAllocs::for_map()?,
                tables: vm.space.tables_for(va)?,
                leaves: vm.leaves.add(va),
                backing: None,
            },
            BindOp::Null { va } => Self::Null {
                va,
                allocs: MappingAllocs::for_map()?,
                tables: vm.space.tables_for_cut(va)?,
            },
            BindOp::Unmap { va } => Self::Unmap {
                va,
                allocs: MappingAllocs::for_unmap()?,
                tables: vm.space.tables_for_cut(va)?,
            },
            BindOp::UnmapAll { bo } => Self::UnmapAll {
                vm_bo: VmBo::new(vm, bo)?,
            },
            BindOp::Prefetch { va, region } => Self::Prefetch {
                region: *region,
                vm_bos: vm.mapped_in(va)?,
                user: prefetched,
            },
            BindOp::Userptr { va, access, .. } => {
                let mut tables = vm.space.tables_for(va)?;
                tables.add_for_pages(va)?;
                Self::Userptr {
                    // It was fetched just now.
                    range: mapped.ok_or(EFAULT)?,
                    access: *access,
                    allocs: MappingAllocs::for_map()?,
                    tables,
                }
            }
        })
    }

    /// Calls `f` for each BO that the operation maps or moves, until it fails.
    pub(super) fn for_each_vm_bo(&self, mut f: impl FnMut(&VmBo<VmData>) -> Result) -> Result {
        match self {
            Self::Map { vm_bo, .. } => f(vm_bo),
            Self::Prefetch { vm_bos, .. } => vm_bos.iter().try_for_each(f),
            _ => Ok(()),
        }
    }

    /// Returns the BO that the operation maps.
    pub(super) fn mapped(&self) -> Option<&VmBo<VmData>> {
        match self {
            Self::Map { vm_bo, .. } => Some(vm_bo),
            _ => None,
        }
    }

    /// Returns whether the operation maps a BO that is private to the VM.
    pub(super) fn maps_private(&self) -> bool {
        self.mapped().is_some_and(|it| it.bo().private.is_some())
    }

    /// Moves the BOs, which `locks` hold, to where they are to be prefetched.
    pub(super) fn prefetch(&self, locks: &mut ExecLocks<'_>, ctx: &mut OperationCtx) -> Result {
        let Self::Prefetch { region, vm_bos, .. } = self else {
            return Ok(());
        };
        vm_bos
            .iter()
            .map(VmBo::bo)
            .filter(|bo| bo.advice.is_usable())
            .try_for_each(|bo| prefetch(&mut Reserved::of_exec(locks, bo)?, *region, ctx))
    }

    /// Returns whether the operation maps a BO that cannot be used now.
    pub(super) fn maps_unusable(&self) -> bool {
        self.mapped().is_some_and(|it| !it.bo().advice.is_usable())
    }

    /// Adds what the operation prefetches.
    pub(super) fn add_prefetched(
        &self,
        to_bos: &mut KVVec<VmBo<VmData>>,
        to_user: &mut KVVec<Arc<UserRange>>,
    ) -> Result {
        if let Self::Prefetch { vm_bos, user, .. } = self {
            to_bos.extend_from_slice(vm_bos, GFP_KERNEL_ACCOUNT)?;
            to_user.extend_from_slice(user, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }

    /// Notes where the BO is, and which of its moves the operation has to wait for.
    pub(super) fn set_backing(
        &mut self,
        vm: &Vm,
        locks: &mut ExecLocks<'_>,
        moves: &mut Dependencies,
    ) -> Result {
        if let Self::Map {
            vm_bo,
            offset,
            va,
            backing,
            tables,
            ..
        } = self
        {
            let mut bo = Reserved::of_exec(locks, vm_bo.bo())?;
            let bytes = *offset..*offset + (va.end - va.start);

            *backing = None;
            if bo.advice.is_usable() {
                let now = BoBacking::new(vm, &mut bo, bytes, moves)?;
                tables.cover_segments(now.segments((*va).clone(), *offset))?;
                *backing = Some(now);
            }
        }
        Ok(())
    }

    /// Returns the BO that the operation maps if it is private, and should be elsewhere.
    pub(super) fn displaced(&self) -> Option<&VmBo<VmData>> {
        match self {
            Self::Map {
                vm_bo,
                backing: Some(backing),
                ..
            } if backing.is_displaced => Some(vm_bo),
            _ => None,
        }
    }

    /// Returns where the BO is that the operation maps.
    pub(super) fn backing(&self) -> Option<&BoBacking> {
        match self {
            Self::Map { backing, .. } => backing.as_ref(),
            _ => None,
        }
    }

    /// Returns what the job has to do.
    pub(super) fn into_change(self) -> Option<Change> {
        Some(match self {
            Self::Map {
                vm_bo,
                offset,
                va,
                access,
                allocs,
                tables,
                leaves,
                backing,
            } => Change::Map {
                allocs,
                tables,
                vm_bo,
                offset,
                va: va.clone(),
                backing,
                access,
                _leaves: leaves,
            },
            Self::Userptr {
                range,
                access,
                allocs,
                tables,
            } => Change::MapUser {
                allocs,
                tables,
                range,
                access,
            },
            Self::Null { va, allocs, tables } => Change::Null {
                allocs,
                tables,
                va: va.clone(),
            },
            Self::Unmap { va, allocs, tables } => Change::Unmap {
                allocs,
                tables,
                va: va.clone(),
            },
            Self::UnmapAll { vm_bo } => Change::UnmapAll { vm_bo },
            // A rebind does it.
            Self::Prefetch { .. } => return None,
        })
    }
}
