// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Filling page tables on a page fault: all that one table of page-table entries can hold, or one
//! entry of the level above.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use kernel::{
    page::{
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*, //
};

use super::super::{
    Driver,
    DriverBo,
    Reserved,
    Resource, //
};
use crate::rust::bindings;

/// Size in bytes of a block, which one entry of the level above the page-table entries maps.
const BLOCK: usize = bindings::RGT_PMD_SIZE;

/// The order by which the VM asks for a block.
pub(super) const BLOCK_ORDER: u32 = BLOCK.trailing_zeros() - PAGE_SHIFT as u32;

/// Pages of a BO that are side by side in a mapping.
struct Window {
    /// Address of the first.
    address: usize,
    /// Number of the first in the BO.
    first: usize,
    count: usize,
    /// Number of the one that faulted in the BO.
    faulted: usize,
}

impl Window {
    /// Returns the pages around a fault that one table maps; [`None`] if the BO has no such page.
    ///
    /// # Safety
    ///
    /// `vmf` must be a fault on a mapping of `bo`.
    unsafe fn of<T: DriverBo>(
        vmf: *const bindings::vm_fault,
        bo: &Reserved<'_, T>,
    ) -> Option<Self> {
        // SAFETY: By the safety requirements; the VMA does not change during the fault. The offset
        // of the BO's first page is constant.
        let (vma, address, offset, start) = unsafe {
            let at = &(*vmf).__bindgen_anon_1;
            (
                &*at.vma,
                at.address,
                at.pgoff,
                (*bo.bo().as_raw()).base.vma_node.vm_node.start,
            )
        };
        // SAFETY: As above.
        let (vm_start, vm_end) = unsafe {
            let range = &vma.__bindgen_anon_1.__bindgen_anon_1;
            (range.vm_start, range.vm_end)
        };
        // SAFETY: As above.
        let random = unsafe { bindings::rgt_vmf_is_random(vmf) };

        let address = address & !(PAGE_SIZE - 1);
        let faulted = offset.checked_sub(start as usize)?;
        let block = address & !(BLOCK - 1);
        let (from, to) = if random {
            (address, address + PAGE_SIZE)
        } else {
            (block.max(vm_start), vm_end.min(block + BLOCK))
        };
        let first = faulted.checked_sub((address - from) >> PAGE_SHIFT)?;
        let end = (first + ((to - from) >> PAGE_SHIFT)).min(bo.size() >> PAGE_SHIFT);

        (faulted < end).then_some(Self {
            address: from,
            first,
            count: end - first,
            faulted,
        })
    }

    /// Returns whether it is all that an entry of the level above maps.
    fn is_block(&self) -> bool {
        self.count << PAGE_SHIFT == BLOCK
    }
}

/// Returns whether the block around a fault is inside the mapping.
///
/// # Safety
///
/// `vmf` must be a fault.
pub(super) unsafe fn may_be_block(vmf: *const bindings::vm_fault) -> bool {
    // SAFETY: By the safety requirements; the VMA does not change during the fault.
    let (address, start, end) = unsafe {
        let at = &(*vmf).__bindgen_anon_1;
        let range = &(*at.vma).__bindgen_anon_1.__bindgen_anon_1;
        (at.address, range.vm_start, range.vm_end)
    };
    let block = address & !(BLOCK - 1);

    start <= block && end - block >= BLOCK
}

/// Returns the frame of a page of a BO, and how many frames from there on, at most `max`, are those
/// of the pages that follow.
///
/// # Safety
///
/// The BO must be in `res`, with its pages populated if it has any.
unsafe fn frames<T: DriverBo>(
    bo: &Reserved<'_, T>,
    res: &Resource,
    page: usize,
    max: usize,
) -> Option<(usize, usize)> {
    if !res.uses_tt() {
        let run = T::Driver::io_mem_run(res, page)?;
        return Some(((run.addr() >> PAGE_SHIFT) as usize, run.pages().min(max)));
    }

    let frame = |page| {
        // SAFETY: By the safety requirements there are pages; the window is inside the BO.
        unsafe {
            let page = *(*(*bo.bo().as_raw()).ttm).pages.add(page);
            (!page.is_null()).then(|| bindings::rgt_page_to_pfn(page))
        }
    };
    let first = frame(page)?;
    let count = (1..max)
        .find(|&next| frame(page + next) != Some(first + next))
        .unwrap_or(max);
    Some((first, count))
}

/// Maps the faulting page and its neighbours.
///
/// # Safety
///
/// `vmf` must be a fault on a mapping of the BO that is not for a block. The BO must be in `res`,
/// with its pages populated if it has any, and its content there; `prot` must be for `res`.
pub(super) unsafe fn insert_pages<T: DriverBo>(
    vmf: *mut bindings::vm_fault,
    bo: &Reserved<'_, T>,
    res: &Resource,
    prot: bindings::pgprot_t,
) -> bindings::vm_fault_t {
    // SAFETY: By the safety requirements.
    let Some(window) = (unsafe { Window::of(vmf, bo) }) else {
        return bindings::vm_fault_reason_VM_FAULT_SIGBUS;
    };
    // The reservation, which is held, keeps other tasks from mapping or moving the BO, so that a
    // block stays or does not come.
    // SAFETY: By the safety requirements.
    if unsafe { bindings::rgt_vmf_is_block(vmf) } {
        return bindings::vm_fault_reason_VM_FAULT_NOPAGE;
    }

    let mut done = 0;
    while done < window.count {
        let (page, left) = (window.first + done, window.count - done);
        // SAFETY: By the safety requirements, and the page is inside the BO.
        let Some((frame, count)) = (unsafe { frames(bo, res, page, left) }) else {
            break;
        };
        let address = window.address + (done << PAGE_SHIFT);
        // SAFETY: The addresses are in the VMA, in one table, and the frames those of the BO, with
        // their attributes. The VMA is a `VM_PFNMAP`, and what it maps is zapped before the BO
        // loses the frames.
        let ret = unsafe {
            let vma = (*vmf).__bindgen_anon_1.vma;
            bindings::rgt_vma_insert_pfns(vma, address, frame, count, prot)
        };
        if ret != 0 {
            break;
        }
        done += count;
    }

    if window.faulted < window.first + done {
        bindings::vm_fault_reason_VM_FAULT_NOPAGE
    } else {
        bindings::vm_fault_reason_VM_FAULT_OOM
    }
}

/// Maps the block around the faulting page if the memory is contiguous and aligned as the mapping
/// is. `VM_FAULT_FALLBACK` if not.
///
/// # Safety
///
/// As for [`insert_pages()`], but the fault must be for a block.
pub(super) unsafe fn insert_block<T: DriverBo>(
    vmf: *mut bindings::vm_fault,
    bo: &Reserved<'_, T>,
    res: &Resource,
) -> bindings::vm_fault_t {
    // SAFETY: By the safety requirements.
    let window = unsafe { Window::of(vmf, bo) }.filter(Window::is_block);
    let frame = window.and_then(|window| {
        // SAFETY: By the safety requirements, and the window is inside the BO.
        let (frame, count) = unsafe { frames(bo, res, window.first, window.count) }?;
        (count == window.count && frame % (BLOCK >> PAGE_SHIFT) == 0).then_some(frame)
    });

    match frame {
        // SAFETY: The frames are those of the BO, contiguous and aligned; the block is inside the
        // VMA, which is as `insert_pages()` says.
        Some(frame) => unsafe { bindings::rgt_vmf_insert_block(vmf, frame) },
        None => bindings::vm_fault_reason_VM_FAULT_FALLBACK,
    }
}
