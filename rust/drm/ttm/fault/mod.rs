// SPDX-License-Identifier: GPL-2.0 OR MIT

//! CPU page faults on buffer objects.
//!
//! C header: [`include/drm/ttm/ttm_bo.h`](srctree/include/drm/ttm/ttm_bo.h)

mod access;
mod insert;

use kernel::{
    prelude::*,
    sync::aref::ARef,
    time::{
        msecs_to_jiffies,
        Jiffies,
        Msecs, //
    }, //
};

use super::{
    Bo,
    Device,
    Driver,
    DriverBo,
    OperationCtx,
    Reserved, //
};
use crate::rust::{
    bindings,
    dma_resv::Usage,
    drm::device, //
};

/// The `vm_operations_struct` of mapped BOs.
pub(super) const fn vm_ops<T: DriverBo>() -> bindings::vm_operations_struct {
    bindings::vm_operations_struct {
        fault: Some(fault::<T>),
        huge_fault: Some(huge_fault::<T>),
        open: Some(bindings::ttm_bo_vm_open),
        close: Some(bindings::ttm_bo_vm_close),
        access: Some(access::access::<T>),
        ..pin_init::zeroed()
    }
}

/// The size of the mapping that a fault inserts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// The page and its neighbours.
    Pages,
    /// One entry of the level above.
    Block,
}

/// Serves a fault as `ttm_bo_vm_fault()` does, and lets the driver bring the BO to where the CPU
/// can map it.
///
/// # Safety
///
/// Only for the VM, as `vm_operations_struct::fault` of a mapping of a `Bo<T>`.
unsafe extern "C" fn fault<T: DriverBo>(vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
    // SAFETY: By the safety requirements.
    unsafe { serve::<T>(vmf, Unit::Pages) }
}

/// Serves a fault as [`fault()`] does, with one entry of the level above.
///
/// # Safety
///
/// Only for the VM, as `vm_operations_struct::huge_fault` of a mapping of a `Bo<T>`.
unsafe extern "C" fn huge_fault<T: DriverBo>(
    vmf: *mut bindings::vm_fault,
    order: c_uint,
) -> bindings::vm_fault_t {
    // SAFETY: By the safety requirements.
    if order != insert::BLOCK_ORDER || !unsafe { insert::may_be_block(vmf) } {
        return bindings::vm_fault_reason_VM_FAULT_FALLBACK;
    }
    // Unlike `fault()` this is called without the lock that waiting gives up.
    // SAFETY: As above.
    if unsafe { bindings::rgt_vmf_end_vma_lock(vmf) } {
        return bindings::vm_fault_reason_VM_FAULT_RETRY;
    }
    // SAFETY: As above.
    unsafe { serve::<T>(vmf, Unit::Block) }
}

/// Reserves the BO and serves a fault.
///
/// # Safety
///
/// `vmf` must be a fault on a mapping of a `Bo<T>`, with the `mmap_lock` held.
unsafe fn serve<T: DriverBo>(vmf: *mut bindings::vm_fault, unit: Unit) -> bindings::vm_fault_t {
    // SAFETY: The VM calls this with a valid fault on a VMA that `ttm_bo_mmap_obj()` set up.
    let (vma, raw, flags) = unsafe {
        let vma = (*vmf).__bindgen_anon_1.vma;
        ((vma), (*vma).vm_private_data.cast(), (*vmf).flags)
    };

    let mut first = true;
    let ret = loop {
        // SAFETY: `raw` is a valid BO, to which the VMA holds a reference.
        let ret = unsafe { bindings::ttm_bo_vm_reserve(raw, vmf) };
        if ret != 0 {
            return ret;
        }

        // SAFETY: As above. A ghost is never mapped, but it costs nothing to refuse it.
        let Some(bo) = (unsafe { Bo::<T>::from_raw(raw) }) else {
            break bindings::vm_fault_reason_VM_FAULT_SIGBUS;
        };
        let deletions = Device::of(bo.device()).deletions();
        let seen = deletions.done();
        // SAFETY: The BO was reserved above, `vmf` is valid.
        let wait = match unsafe { serve_reserved(vma, vmf, bo, unit) } {
            Ok(ret) => break ret,
            Err(Wait::Room) if !first => break bindings::vm_fault_reason_VM_FAULT_SIGBUS,
            // SAFETY: As above.
            Err(Wait::Room) if unsafe { came_again(vmf) } => {
                if !deletions.go_on_since(seen) {
                    break bindings::vm_fault_reason_VM_FAULT_SIGBUS;
                }
                Wait::MoreRoom(seen)
            }
            Err(wait) => wait,
        };
        // SAFETY: `ttm_bo_vm_reserve()` locked it.
        unsafe { bindings::dma_resv_unlock((*raw).base.resv) };
        // SAFETY: By the safety requirements, and it is not reserved any more.
        if let Err(ret) = unsafe { wait_for(vmf, bo, wait) } {
            return ret;
        }
        first &= wait != Wait::Room;
    };

    // With VM_FAULT_RETRY the lock was dropped for the wait, unless there was none.
    if ret == bindings::vm_fault_reason_VM_FAULT_RETRY
        && flags & bindings::fault_flag_FAULT_FLAG_RETRY_NOWAIT == 0
    {
        return ret;
    }

    // SAFETY: `ttm_bo_vm_reserve()` locked it.
    unsafe { bindings::dma_resv_unlock((*raw).base.resv) };
    ret
}

/// Returns whether a fault has come again after a wait, and may do so once more.
///
/// # Safety
///
/// `vmf` must be a fault.
unsafe fn came_again(vmf: *mut bindings::vm_fault) -> bool {
    // SAFETY: By the safety requirements.
    unsafe { bindings::rgt_vmf_may_retry(vmf) && !bindings::rgt_vmf_may_retry_first(vmf) }
}

/// The wait that a fault needs. It can take as long as any client's job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// No place of the BO had room: for what is being destroyed, which is room that TTM does not
    /// find.
    Room,
    /// The fault came again, and there still was none: for memory of one more deleted BO than so
    /// many.
    MoreRoom(u64),
    /// The BO is being moved: for its content.
    Content,
}

/// How long a fault waits for a deleted BO before it comes again.
const PATIENCE: Msecs = 15_000;

impl Wait {
    /// Waits, or until a signal comes.
    fn wait<T: DriverBo>(self, bo: &Bo<T>) -> Result {
        match self {
            Self::Room => Device::of(bo.device()).flush_deletes(),
            Self::MoreRoom(seen) => Device::of(bo.device())
                .wait_for_deletion(seen, msecs_to_jiffies(PATIENCE))
                .map(drop),
            Self::Content => bo.resv().wait(Usage::Kernel, true, Jiffies::MAX),
        }
    }

    /// Returns whether to give the `mmap_lock` up for the wait, and have the fault come again.
    ///
    /// # Safety
    ///
    /// `vmf` must be a fault.
    unsafe fn may_retry(self, vmf: *mut bindings::vm_fault) -> bool {
        // SAFETY: By the safety requirements.
        unsafe {
            match self {
                Self::Room => bindings::rgt_vmf_may_retry_first(vmf),
                Self::MoreRoom(_) | Self::Content => bindings::rgt_vmf_may_retry(vmf),
            }
        }
    }
}

/// Waits with no reservation held, and without the `mmap_lock` if it may be given up. Then, and
/// after a signal, it returns what the fault ends with.
///
/// # Safety
///
/// `vmf` must be a fault on a mapping of `bo`, with the `mmap_lock` held; no reservation may be.
unsafe fn wait_for<T: DriverBo>(
    vmf: *mut bindings::vm_fault,
    bo: &Bo<T>,
    wait: Wait,
) -> Result<(), bindings::vm_fault_t> {
    // SAFETY: By the safety requirements.
    let (may_retry, flags) = unsafe { (wait.may_retry(vmf), (*vmf).flags) };
    if !may_retry {
        return wait
            .wait(bo)
            .map_err(|_| bindings::vm_fault_reason_VM_FAULT_NOPAGE);
    }

    if flags & bindings::fault_flag_FAULT_FLAG_RETRY_NOWAIT == 0 {
        // The mapping may go without the lock.
        let bo = ARef::from(bo);
        // SAFETY: The lock is held, and given up for a retry.
        unsafe { bindings::rgt_vmf_unlock_mm(vmf) };
        // A signal is seen to before the fault comes again.
        let _ = wait.wait(&bo);
    }
    Err(bindings::vm_fault_reason_VM_FAULT_RETRY)
}

/// # Safety
///
/// `bo` must be reserved, and `vmf` a fault on its mapping `vma`.
unsafe fn serve_reserved<T: DriverBo>(
    vma: *mut bindings::vm_area_struct,
    vmf: *mut bindings::vm_fault,
    bo: &Bo<T>,
    unit: Unit,
) -> Result<bindings::vm_fault_t, Wait> {
    // SAFETY: The VMA is locked during the fault.
    let prot = unsafe { (*vma).vm_page_prot };

    let Some(_registered) = device::enter(bo.device()) else {
        // The device is gone: its users get a page of zeros instead of a signal.
        if unit == Unit::Block {
            return Ok(bindings::vm_fault_reason_VM_FAULT_FALLBACK);
        }
        // C maps it everywhere, which must not find a block. There will be no new ones.
        // SAFETY: By the safety requirements.
        return Ok(unsafe {
            bindings::ttm_bo_unmap_virtual(bo.as_raw());
            bindings::ttm_bo_vm_dummy_page(vmf, prot)
        });
    };

    let mut ctx = OperationCtx::new(true);
    // SAFETY: The BO is reserved by the safety requirements, and there is no other `Reserved`.
    let mut reserved = unsafe { Reserved::new(bo) };
    if let Err(err) = T::Driver::prepare_fault(&mut reserved, &mut ctx) {
        return match err {
            ENOSPC => Err(Wait::Room),
            EINTR | ERESTARTSYS | EAGAIN | EBUSY => Ok(bindings::vm_fault_reason_VM_FAULT_NOPAGE),
            ENOMEM => Ok(bindings::vm_fault_reason_VM_FAULT_OOM),
            _ => Ok(bindings::vm_fault_reason_VM_FAULT_SIGBUS),
        };
    }
    let Some(res) = reserved.resource() else {
        return Ok(bindings::vm_fault_reason_VM_FAULT_SIGBUS);
    };

    if !reserved.resv().test_signaled(Usage::Kernel) {
        return Err(Wait::Content);
    }
    // With no page to map this makes the pages.
    // SAFETY: The BO is reserved and has a resource.
    let ret = unsafe { bindings::ttm_bo_vm_fault_reserved(vmf, prot, 0) };
    if ret != 0 {
        return Ok(ret);
    }
    if T::Driver::check_content(bo).is_err() {
        return Ok(bindings::vm_fault_reason_VM_FAULT_SIGBUS);
    }
    // SAFETY: As above. Encryption is not for what is behind a bus.
    let prot = unsafe {
        let prot = bindings::ttm_io_prot(bo.as_raw(), res.as_raw(), prot);
        if res.uses_tt() {
            prot
        } else {
            bindings::rgt_pgprot_decrypted(prot)
        }
    };
    // SAFETY: As above, the content is there, and so are the pages. The VM says what the fault is
    // for.
    Ok(unsafe {
        match unit {
            Unit::Pages => insert::insert_pages(vmf, &reserved, res, prot),
            Unit::Block => insert::insert_block(vmf, &reserved, res),
        }
    })
}
