// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Mappings of a VM.

use core::{
    mem::MaybeUninit,
    ops::Range,
    ptr, //
};

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*,
    types::Opaque, //
};

use super::{
    DriverGpuVm,
    GpuVm, //
};
use crate::rust::{
    bindings,
    drm::ttm::Bo, //
};

/// A mapping: a range of addresses of a VM, and the part of a BO, or of something else of the driver's,
/// that is there.
///
/// # Invariants
///
/// `raw` is a valid `drm_gpuva` in the tree of a [`GpuVm<D>`]: linked to a BO, or of none.
#[repr(C)]
pub struct Mapping<D: DriverGpuVm> {
    pub(super) raw: Opaque<bindings::drm_gpuva>,
    pub(super) data: D::MappingData,
}

impl<D: DriverGpuVm> Mapping<D> {
    /// Returns the addresses.
    pub fn range(&self) -> Range<u64> {
        // SAFETY: Valid by the type invariants.
        unsafe { range_of(self.raw.get()) }
    }

    /// Returns the BO, or [`None`] for a mapping of none.
    pub fn bo(&self) -> Option<&Bo<D::Bo>> {
        // SAFETY: Valid by the type invariants; a mapping is made with a `VmBo<D>`, which takes a
        // `Bo` of this type, whose GEM object is its first field, and the mapping's `vm_bo` holds
        // a reference to it.
        unsafe {
            (*self.raw.get())
                .gem
                .obj
                .cast::<Bo<D::Bo>>()
                .cast_const()
                .as_ref()
        }
    }

    /// Returns the offset, in bytes, of what is at the first address in the BO, or in what else the
    /// mapping is of.
    pub fn offset(&self) -> u64 {
        // SAFETY: Valid by the type invariants.
        unsafe { (*self.raw.get()).gem.offset }
    }

    /// Returns the driver's data.
    pub fn data(&self) -> &D::MappingData {
        &self.data
    }
}

/// # Safety
///
/// `va` must be valid.
pub(super) unsafe fn range_of(va: *mut bindings::drm_gpuva) -> Range<u64> {
    // SAFETY: By the safety requirements.
    let va = unsafe { &raw const (*va).va };
    // SAFETY: As above; the fields of a mapping in the tree do not change.
    unsafe { (*va).addr..(*va).addr + (*va).range }
}

/// Memory for one mapping.
struct MappingAlloc<D: DriverGpuVm>(KBox<MaybeUninit<Mapping<D>>>);

// SAFETY: It is memory in which nothing is yet.
unsafe impl<D: DriverGpuVm> Send for MappingAlloc<D> {}

/// Memory for the mappings that one operation may make: its own, and what it leaves of the first
/// and the last that it cuts.
pub struct MappingAllocs<D: DriverGpuVm>(KVec<MappingAlloc<D>>);

impl<D: DriverGpuVm> MappingAllocs<D> {
    /// Allocates for a mapping.
    pub fn for_map() -> Result<Self> {
        Self::new(3)
    }

    /// Allocates for an unmap.
    pub fn for_unmap() -> Result<Self> {
        Self::new(2)
    }

    /// Returns memory for no mapping.
    pub(super) const fn none() -> Self {
        Self(KVec::new())
    }

    /// Returns for how many mappings it is.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn new(count: usize) -> Result<Self> {
        let mut allocs = KVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?;

        for _ in 0..count {
            let alloc = MappingAlloc(KBox::new_uninit(GFP_KERNEL_ACCOUNT)?);
            allocs.push_within_capacity(alloc).map_err(|_| ENOMEM)?;
        }
        Ok(Self(allocs))
    }

    /// Creates a mapping for C to fill in, link and own, with the flags and the data of the one
    /// that it is a part of. `ENOMEM` when all memory is used.
    pub(super) fn take(
        &mut self,
        flags: bindings::drm_gpuva_flags,
        data: D::MappingData,
    ) -> Result<*mut bindings::drm_gpuva> {
        let alloc = self.0.pop().ok_or(ENOMEM)?;
        let mapping = Mapping {
            raw: Opaque::zeroed(),
            data,
        };
        let va = KBox::into_raw(KBox::write(alloc.0, mapping)).cast::<bindings::drm_gpuva>();

        // SAFETY: It is ours.
        unsafe { (*va).flags = flags };
        Ok(va)
    }
}

/// Calls `f` for each mapping of `bo` in all VMs whose data is a `D`.
///
/// The BO's GPUVA lock is held meanwhile: `f` must not map or unmap, and not allocate.
pub fn for_each_mapping<D: DriverGpuVm>(bo: &Bo<D::Bo>, mut f: impl FnMut(&GpuVm<D>, &Mapping<D>)) {
    let obj = ptr::from_ref(bo)
        .cast_mut()
        .cast::<bindings::drm_gem_object>();

    // SAFETY: The BO is valid. Both lists are under the GPUVA lock; their entries are `vm_bo`s,
    // which hold a reference to their VM, and mappings of these.
    unsafe {
        let lock = &raw mut (*obj).gpuva.lock;
        bindings::mutex_lock(lock);
        let head = &raw mut (*obj).gpuva.list;
        let mut entry = (*head).next;
        while entry != head {
            let vm_bo = kernel::container_of!(entry, bindings::drm_gpuvm_bo, list.entry.gem);
            if let Some(vm) = GpuVm::<D>::try_from_raw((*vm_bo).vm) {
                for_each_of(vm_bo, |mapping| f(vm, mapping));
            }
            entry = (*entry).next;
        }
        bindings::mutex_unlock(lock);
    }
}

/// Calls `f` for each mapping of a BO in a VM.
///
/// # Safety
///
/// `vm_bo` must be valid and of a [`GpuVm<D>`], and its BO's GPUVA lock must be held.
pub(super) unsafe fn for_each_of<D: DriverGpuVm>(
    vm_bo: *mut bindings::drm_gpuvm_bo,
    mut f: impl FnMut(&Mapping<D>),
) {
    // SAFETY: By the safety requirements; the list is under the lock, and its entries are mappings
    // of this type.
    unsafe {
        let head = &raw mut (*vm_bo).list.gpuva;
        let mut entry = (*head).next;
        while entry != head {
            let va = kernel::container_of!(entry, bindings::drm_gpuva, gem.entry);
            f(&*va.cast::<Mapping<D>>());
            entry = (*entry).next;
        }
    }
}
