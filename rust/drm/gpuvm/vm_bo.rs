// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffer objects as a VM has them: mapped, external or private, evicted or not.

use core::{
    marker::PhantomData,
    ops::Range,
    ptr::{
        self,
        NonNull, //
    }, //
};

use kernel::{
    error::to_result,
    prelude::*, //
};

use super::{
    displaced,
    mapping::{
        for_each_of,
        range_of, //
    },
    DriverGpuVm,
    GpuVm,
    GpuVmGuard,
    Mapping, //
};
use crate::rust::{
    alloc::LazyVec,
    bindings,
    drm::{
        exec::{
            Exec,
            ExecLocks, //
        },
        ttm::{
            Bo,
            Reserved, //
        }, //
    }, //
};

/// A reference to a buffer object that has, or is about to have, mappings in a VM.
///
/// # Invariants
///
/// An owned reference to a `drm_gpuvm_bo` that connects a `GpuVm<D>` and a `Bo<D::Bo>` and is on
/// the latter's list.
pub struct VmBo<D: DriverGpuVm> {
    raw: NonNull<bindings::drm_gpuvm_bo>,
    _vm: PhantomData<D>,
}

// SAFETY: It is counted, and what it refers to is `Send` and `Sync`.
unsafe impl<D: DriverGpuVm> Send for VmBo<D> {}
// SAFETY: As above.
unsafe impl<D: DriverGpuVm> Sync for VmBo<D> {}

impl<D: DriverGpuVm> Clone for VmBo<D> {
    fn clone(&self) -> Self {
        // SAFETY: Valid by the type invariants.
        unsafe { bindings::rgt_drm_gpuvm_bo_get(self.raw.as_ptr()) };
        // INVARIANT: The reference was just taken.
        Self {
            raw: self.raw,
            _vm: PhantomData,
        }
    }
}

impl<D: DriverGpuVm> Drop for VmBo<D> {
    fn drop(&mut self) {
        // SAFETY: The reference is ours by the type invariants.
        unsafe { bindings::drm_gpuvm_bo_put_deferred(self.raw.as_ptr()) };
    }
}

impl<D: DriverGpuVm> VmBo<D> {
    /// Returns the one of `vm` and `bo`, which it makes if there is none. Once the last one and the
    /// last mapping are gone, [`GpuVm::cleanup()`] has to follow.
    ///
    /// C: `drm_gpuvm_bo_obtain_prealloc()`.
    pub fn new(vm: &GpuVm<D>, bo: &Bo<D::Bo>) -> Result<Self> {
        let obj = ptr::from_ref(bo).cast_mut().cast();

        // SAFETY: Both are valid. The new `vm_bo`, or the one that is there already, holds
        // references to them.
        let raw = unsafe {
            let fresh = bindings::drm_gpuvm_bo_create(vm.raw.get(), obj);
            if fresh.is_null() {
                return Err(ENOMEM);
            }
            bindings::drm_gpuvm_bo_obtain_prealloc(fresh)
        };

        // INVARIANT: `drm_gpuvm_bo_obtain_prealloc()` gives us a reference.
        Ok(Self {
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
            _vm: PhantomData,
        })
    }

    /// Returns the one of a mapping; [`None`] if that is of no BO.
    fn of_mapping(mapping: &Mapping<D>) -> Option<Self> {
        // SAFETY: A mapping is valid, and keeps its `vm_bo`.
        let raw = NonNull::new(unsafe { (*mapping.raw.get()).vm_bo })?;
        // SAFETY: As above.
        unsafe { bindings::rgt_drm_gpuvm_bo_get(raw.as_ptr()) };

        // INVARIANT: The reference was just taken.
        Some(Self {
            raw,
            _vm: PhantomData,
        })
    }

    /// Returns one that is on a list of its VM; [`None`] if it is being freed: it stays on the list
    /// until [`GpuVm::cleanup()`].
    ///
    /// # Safety
    ///
    /// `raw` must be on a list of a `GpuVm<D>`, and the reservation held that protects the list.
    pub(super) unsafe fn get_unless_zero(raw: *mut bindings::drm_gpuvm_bo) -> Option<Self> {
        // SAFETY: By the safety requirements it is not freed yet.
        let got = unsafe { bindings::rgt_drm_gpuvm_bo_get_unless_zero(raw) };

        // INVARIANT: The reference was just taken; all objects of the VM are of this type.
        got.then(|| Self {
            // SAFETY: An object on a list is not at NULL.
            raw: unsafe { NonNull::new_unchecked(raw) },
            _vm: PhantomData,
        })
    }

    /// Returns the BO.
    pub fn bo(&self) -> &Bo<D::Bo> {
        // SAFETY: Valid by the type invariants; the GEM object is the BO's first field.
        unsafe { &*(*self.as_raw()).obj.cast::<Bo<D::Bo>>() }
    }

    /// Calls `f` for each mapping of the BO in the VM, whose tree is locked. `f` must not allocate.
    ///
    /// `EINVAL` for another VM than `mappings`'.
    pub fn for_each_mapping(
        &self,
        mappings: &GpuVmGuard<'_, D>,
        f: impl FnMut(&Mapping<D>),
    ) -> Result {
        self.check_vm(mappings.vm)?;

        // SAFETY: Valid by the type invariants. The lock that the function asks for is held.
        unsafe {
            let lock = &raw mut (*(*self.as_raw()).obj).gpuva.lock;
            bindings::mutex_lock(lock);
            for_each_of(self.as_raw(), f);
            bindings::mutex_unlock(lock);
        }
        Ok(())
    }

    /// Returns the addresses of one of the BO's mappings in the VM, whose tree is locked.
    pub(super) fn first_mapping(&self, mappings: &GpuVmGuard<'_, D>) -> Result<Option<Range<u64>>> {
        self.check_vm(mappings.vm)?;

        // SAFETY: Valid by the type invariants. The list is under the lock, and its entries are
        // mappings.
        unsafe {
            let lock = &raw mut (*(*self.as_raw()).obj).gpuva.lock;
            bindings::mutex_lock(lock);
            let head = &raw mut (*self.as_raw()).list.gpuva;
            let first = (*head).next;
            let range = (first != head)
                .then(|| range_of(kernel::container_of!(first, bindings::drm_gpuva, gem.entry)));
            bindings::mutex_unlock(lock);
            Ok(range)
        }
    }

    /// Adds the BO, unless it is private to the VM, to the VM's external objects. To be called
    /// before it gets its first mapping.
    ///
    /// `EINVAL` if `exec` does not hold the VM's reservation.
    ///
    /// C: `drm_gpuvm_bo_extobj_add()`.
    pub fn add_extobj(&self, exec: &Exec) -> Result {
        exec.locked_resv(self.vm().resv())?;

        // SAFETY: Valid by the type invariants; the VM's reservation, which protects the list, is
        // held.
        unsafe { bindings::drm_gpuvm_bo_extobj_add(self.as_raw()) };
        Ok(())
    }

    /// Notes that the BO is where the VM's jobs reach it: it is neither evicted nor displaced any
    /// more.
    ///
    /// `EINVAL` if `exec` does not hold the reservations of the VM and the BO.
    ///
    /// C: `drm_gpuvm_bo_evict()`.
    pub fn set_validated(&self, exec: &Exec) -> Result {
        exec.locked_resv(self.vm().resv())?;
        exec.resv_of(self.bo().as_gem())?;

        // SAFETY: Valid by the type invariants. `evicted` is under the BO's reservation and the
        // list under the VM's; an entry that is on no list is an empty list itself.
        unsafe {
            (*self.as_raw()).evicted = false;
            bindings::rgt_list_del_init(&raw mut (*self.as_raw()).list.entry.evict);
        }
        Ok(())
    }

    pub(super) fn vm(&self) -> &GpuVm<D> {
        // SAFETY: Valid by the type invariants; `raw` is the VM's first field.
        unsafe { &*(*self.as_raw()).vm.cast::<GpuVm<D>>() }
    }

    /// Checks that this is of `vm`.
    pub(super) fn check_vm(&self, vm: &GpuVm<D>) -> Result {
        if self.vm() != vm {
            return Err(EINVAL);
        }
        Ok(())
    }

    pub(super) fn as_raw(&self) -> *mut bindings::drm_gpuvm_bo {
        self.raw.as_ptr()
    }
}

impl<D: DriverGpuVm> GpuVm<D> {
    /// Locks all external objects of the VM as part of `locks`, which hold the VM's reservation and
    /// ignore duplicates.
    ///
    /// C: `drm_gpuvm_prepare_objects()`.
    pub fn lock_extobjs(&self, locks: &mut ExecLocks<'_>) -> Result {
        locks.check_locked(self.resv())?;
        let exec = locks.as_raw()?;

        // SAFETY: The VM is valid, its reservation held, and `locks` in its acquire phase.
        to_result(unsafe {
            // CAST: The bindings of the kernel crate have a type of their own for the same structure.
            bindings::drm_gpuvm_prepare_objects(self.raw.get(), exec.cast(), 0)
        })
    }

    /// Returns the objects that are mapped in a range. One may come up more than once.
    pub fn mapped_in(&self, range: &Range<u64>) -> Result<KVVec<VmBo<D>>> {
        self.find_in(range, VmBo::of_mapping)
    }

    /// Returns what `find` finds in the mappings in a range. It is called with the tree locked, and
    /// what it returns may be dropped there.
    pub fn find_in<T>(
        &self,
        range: &Range<u64>,
        find: impl Fn(&Mapping<D>) -> Option<T>,
    ) -> Result<KVVec<T>> {
        let mut found = KVVec::new();

        // Nothing is allocated with the tree locked.
        loop {
            let mut missing = 0;
            let guard = self.lock();
            guard.for_each_in(range, |mapping| {
                if let Some(it) = find(mapping) {
                    if found.push_within_capacity(it).is_err() {
                        missing += 1;
                    }
                }
            });
            drop(guard);
            if missing == 0 {
                return Ok(found);
            }
            let room = found.len() + missing;
            found.clear();
            found.reserve(room, GFP_KERNEL_ACCOUNT)?;
        }
    }

    /// Returns the addresses of all mappings of an object, and the offset in it of what is at the
    /// first. `EINVAL` for another VM's `vm_bo`.
    pub fn mappings_of(&self, vm_bo: &VmBo<D>) -> Result<KVVec<(Range<u64>, u64)>> {
        let mut found = KVVec::new();

        // Nothing is allocated with the tree locked.
        loop {
            let mut missing = 0;
            vm_bo.for_each_mapping(&self.lock(), |mapping| {
                let entry = (mapping.range(), mapping.offset());
                if found.push_within_capacity(entry).is_err() {
                    missing += 1;
                }
            })?;
            if missing == 0 {
                return Ok(found);
            }
            let room = found.len() + missing;
            found.clear();
            found.reserve(room, GFP_KERNEL_ACCOUNT)?;
        }
    }

    /// Returns the evicted objects: those that were moved since they were validated last. Among
    /// them are external ones only after [`Self::lock_extobjs()`].
    ///
    /// `EINVAL` if `locks` do not hold the VM's reservation.
    pub fn evicted(&self, locks: &mut ExecLocks<'_>) -> Result<LazyVec<VmBo<D>>> {
        locks.check_locked(self.resv())?;
        let mut evicted = LazyVec::new();

        // SAFETY: The VM is valid and its reservation, which protects the list, is held.
        unsafe {
            let head = &raw mut (*self.raw.get()).evict.list;
            let mut entry = (*head).next;
            while entry != head {
                let raw = kernel::container_of!(entry, bindings::drm_gpuvm_bo, list.entry.evict);
                if let Some(vm_bo) = VmBo::get_unless_zero(raw) {
                    evicted.push(vm_bo, GFP_KERNEL)?;
                }
                entry = (*entry).next;
            }
        }
        Ok(evicted)
    }
}

/// Marks a BO as evicted in all VMs: their next jobs validate it, and map it where it is then.
///
/// C: `drm_gpuvm_bo_evict()`.
pub fn evict<D: DriverGpuVm>(bo: &Reserved<'_, D::Bo>) {
    let obj = ptr::from_ref::<Bo<D::Bo>>(bo.bo())
        .cast_mut()
        .cast::<bindings::drm_gem_object>();

    // SAFETY: The BO is valid, and its reservation held, which is the VM's one if the BO is private
    // to it. Its list is under the GPUVA lock, and the entries are valid as long as they are on it.
    unsafe {
        let lock = &raw mut (*obj).gpuva.lock;
        bindings::mutex_lock(lock);
        let head = &raw mut (*obj).gpuva.list;
        let mut entry = (*head).next;
        while entry != head {
            let vm_bo = kernel::container_of!(entry, bindings::drm_gpuvm_bo, list.entry.gem);
            // It would add a private one to the list again.
            if !(*vm_bo).evicted {
                displaced::forget(vm_bo);
                bindings::drm_gpuvm_bo_evict(vm_bo, true);
            }
            entry = (*entry).next;
        }
        bindings::mutex_unlock(lock);
    }
}
