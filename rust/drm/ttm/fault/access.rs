// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Access to a mapping by others than the program, such as a debugger.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use core::ops::Range;

use kernel::{
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*,
    time::Jiffies, //
};

use super::super::{
    memcpy::with_page,
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

/// Reads or writes a mapping, in a page fault's place: the driver brings the BO to where the CPU
/// sees it.
///
/// Unlike `ttm_bo_vm_access()` this copies nothing while a move is under way, and knows all types of
/// memory.
///
/// # Safety
///
/// Only for the VM, as `vm_operations_struct::access` of a mapping of a `Bo<T>`.
pub(super) unsafe extern "C" fn access<T: DriverBo>(
    vma: *mut bindings::vm_area_struct,
    addr: usize,
    buf: *mut c_void,
    len: c_int,
    write: c_int,
) -> c_int {
    // SAFETY: The VM calls this with a VMA that `ttm_bo_mmap_obj()` set up, which holds a
    // reference to its BO, and does not change it meanwhile.
    let (vma, bo) = unsafe { (&*vma, Bo::<T>::from_raw((*vma).vm_private_data.cast())) };
    // SAFETY: As above.
    let (start, flags) = unsafe {
        (
            vma.__bindgen_anon_1.__bindgen_anon_1.vm_start,
            vma.__bindgen_anon_2.vm_flags,
        )
    };
    let Some(bo) = bo else {
        return EIO.to_errno();
    };
    if write != 0 && flags & bindings::VM_WRITE == 0 {
        return EACCES.to_errno();
    }

    // SAFETY: The offset of the BO's first page is constant.
    let first = unsafe { (*bo.as_raw()).base.vma_node.vm_node.start } as usize;
    let offset = (vma.vm_pgoff.wrapping_sub(first) << PAGE_SHIFT).wrapping_add(addr - start);
    // CAST: It is not negative.
    let len = len as usize;
    let range = match offset.checked_add(len) {
        Some(end) if end <= bo.size() => offset..end,
        _ => return EIO.to_errno(),
    };

    let buf = buf.cast::<u8>();
    let result = copy(bo, range, |map, at, done, count| {
        // SAFETY: The caller maps a page, in which `at` has that many bytes. `buf` has `len` bytes.
        unsafe {
            if write != 0 {
                bindings::rgt_iosys_map_write(map, at, buf.add(done).cast(), count);
            } else {
                bindings::rgt_iosys_map_read(buf.add(done).cast(), map, at, count);
            }
        }
    });
    // CAST: It is `len` of above.
    result.map_or_else(Error::to_errno, |()| len as c_int)
}

/// Calls `f` for each page of a range of a BO: with the page mapped, the first byte in the page, how
/// many bytes of the range came before, and how many there are.
fn copy<T: DriverBo>(
    bo: &Bo<T>,
    range: Range<usize>,
    mut f: impl FnMut(&bindings::iosys_map, usize, usize, usize),
) -> Result {
    let mut flushed = false;

    loop {
        // Unplugging does not wait for what this waits for.
        let registered = device::enter(bo.device()).ok_or(EIO)?;
        let mut guard = bo.reserve(true)?;
        let result = prepare(&mut guard.reserved());

        match result {
            Ok(true) => {
                let mut at = range.start;

                while at < range.end {
                    let count = (PAGE_SIZE - at % PAGE_SIZE).min(range.end - at);

                    with_page(&guard, at >> PAGE_SHIFT, |map| {
                        f(map, at % PAGE_SIZE, at - range.start, count);
                    })?;
                    at += count;
                }
                guard.release_unused();
                return Ok(());
            }
            Ok(false) => {
                guard.release_unused();
                drop(registered);
                bo.resv().wait(Usage::Kernel, true, Jiffies::MAX)?;
            }
            // There may be room that TTM does not find, as for a page fault.
            Err(ENOSPC) if !flushed => {
                guard.release_unused();
                drop(registered);
                Device::of(bo.device()).flush_deletes()?;
                flushed = true;
            }
            Err(err) => return Err(err),
        }
    }
}

/// Brings a BO to where the CPU sees it, and returns whether its content is there yet.
fn prepare<T: DriverBo>(bo: &mut Reserved<'_, T>) -> Result<bool> {
    let mut ctx = OperationCtx::new(true);

    if bo.is_imported() {
        return Err(EIO);
    }
    T::Driver::prepare_fault(bo, &mut ctx)?;
    if !bo.resv().test_signaled(Usage::Kernel) {
        return Ok(false);
    }
    T::Driver::check_content(bo)?;
    if bo.resource().ok_or(EIO)?.uses_tt() {
        bo.populate(&mut ctx)?;
    }
    Ok(true)
}
