// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Displaced objects: private ones that the VM's jobs reach where they are, though they should be
//! elsewhere.
//!
//! DRM GPUVM has a list for those that have to be validated, and none for those that are worth another
//! attempt. An object is on one of the two at most, so that both take the same entry, and whatever
//! takes an object off the one takes it off the other.
//!
//! C header: [`include/drm/drm_gpuvm.h`](srctree/include/drm/drm_gpuvm.h)

use kernel::{
    prelude::*,
    types::Opaque, //
};

use super::{
    DriverGpuVm,
    GpuVm,
    VmBo, //
};
use crate::rust::{
    alloc::LazyVec,
    bindings,
    drm::exec::{
        Exec,
        ExecLocks, //
    }, //
};

/// The list of a VM's displaced objects, under the VM's reservation.
#[pin_data]
#[repr(transparent)]
pub(super) struct Displaced {
    #[pin]
    head: Opaque<bindings::list_head>,
}

impl Displaced {
    /// Returns an initializer of an empty list.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: The memory is valid, and pinned.
            head <- Opaque::ffi_init(|head| unsafe { bindings::INIT_LIST_HEAD(head) }),
        })
    }
}

impl<D: DriverGpuVm> VmBo<D> {
    /// Returns whether the BO shares the VM's reservation.
    pub(super) fn is_private(&self) -> bool {
        // SAFETY: Valid by the type invariants; neither reservation changes while there are
        // references to the objects.
        unsafe { is_private(self.as_raw()) }
    }

    /// Notes that the BO, which is private to the VM, should be elsewhere than where the VM's jobs
    /// reach it. It is forgotten when it is evicted, validated or unmapped.
    ///
    /// `EINVAL` for an external one, and if `exec` does not hold the VM's reservation.
    pub fn set_displaced(&self, exec: &Exec) -> Result {
        exec.locked_resv(self.vm().resv())?;
        if !self.is_private() {
            return Err(EINVAL);
        }

        // SAFETY: Valid by the type invariants. The VM's reservation, which is the BO's, is held, and
        // protects both lists. The entry is on none of them if it is an empty list itself.
        unsafe {
            let entry = &raw mut (*self.as_raw()).list.entry.evict;
            if !(*self.as_raw()).evicted && (*entry).next == entry {
                bindings::list_add_tail(entry, self.vm().displaced.head.get());
            }
        }
        Ok(())
    }

    /// Notes that the BO is where it should be, in one of the places where the VM's jobs reach it.
    ///
    /// `EINVAL` if `locks` do not hold the VM's reservation.
    pub fn set_settled(&self, locks: &mut ExecLocks<'_>) -> Result {
        locks.check_locked(self.vm().resv())?;

        // SAFETY: As for `set_displaced()`. The list of those that are evicted keeps them.
        unsafe {
            if self.is_private() && !(*self.as_raw()).evicted {
                bindings::rgt_list_del_init(&raw mut (*self.as_raw()).list.entry.evict);
            }
        }
        Ok(())
    }
}

impl<D: DriverGpuVm> GpuVm<D> {
    /// Returns whether no object is displaced, and none evicted: among those are external ones only
    /// after [`Self::lock_extobjs()`].
    ///
    /// `EINVAL` if `locks` do not hold the VM's reservation.
    pub fn is_settled(&self, locks: &mut ExecLocks<'_>) -> Result<bool> {
        locks.check_locked(self.resv())?;

        // SAFETY: The VM is valid, and its reservation, which protects the lists, is held.
        Ok(unsafe {
            let evicted = &raw const (*self.raw.get()).evict.list;
            let displaced = self.displaced.head.get().cast_const();
            (*evicted).next.cast_const() == evicted && (*displaced).next.cast_const() == displaced
        })
    }

    /// Returns displaced objects that have not come up for longest, of `most` that it looks at. They
    /// come up again after all others.
    ///
    /// `EINVAL` if `locks` do not hold the VM's reservation.
    pub fn displaced(&self, locks: &mut ExecLocks<'_>, most: usize) -> Result<LazyVec<VmBo<D>>> {
        locks.check_locked(self.resv())?;
        let mut displaced = LazyVec::new();

        // SAFETY: The list is valid, and the VM's reservation, which protects it, held. The entries
        // are of objects of this VM, which leave it before they are freed.
        unsafe {
            let head = self.displaced.head.get();
            let last = (*head).prev;
            for _ in 0..most {
                let entry = (*head).next;
                if entry == head {
                    break;
                }
                let raw = kernel::container_of!(entry, bindings::drm_gpuvm_bo, list.entry.evict);
                if let Some(vm_bo) = VmBo::get_unless_zero(raw) {
                    displaced.push(vm_bo, GFP_KERNEL)?;
                }
                bindings::rgt_list_del_init(entry);
                bindings::list_add_tail(entry, head);
                if entry == last {
                    break;
                }
            }
        }
        Ok(displaced)
    }
}

/// Takes a private object that is to be evicted off the list of its VM, if it is there.
///
/// # Safety
///
/// `vm_bo` must be valid, not evicted, and the reservation of its object held.
pub(super) unsafe fn forget(vm_bo: *mut bindings::drm_gpuvm_bo) {
    // SAFETY: By the safety requirements. The entry of an external one is under another reservation;
    // that of a private one is on this list or on none.
    unsafe {
        if is_private(vm_bo) {
            bindings::rgt_list_del_init(&raw mut (*vm_bo).list.entry.evict);
        }
    }
}

/// # Safety
///
/// `vm_bo` must be valid.
unsafe fn is_private(vm_bo: *mut bindings::drm_gpuvm_bo) -> bool {
    // SAFETY: By the safety requirements; a VM keeps its reservation's object.
    unsafe { (*(*vm_bo).obj).resv == (*(*(*vm_bo).vm).r_obj).resv }
}
