// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Taking the system pages of a buffer object away: with their content, or to shmem and back.
//!
//! C header: [`include/drm/ttm/ttm_backup.h`](srctree/include/drm/ttm/ttm_backup.h)

use kernel::{
    error::to_result,
    page::PAGE_SHIFT,
    prelude::*, //
};

use super::{
    pool,
    Device,
    Driver,
    DriverBo,
    OperationCtx,
    Reserved, //
};
use crate::rust::bindings;

/// Returns about how many pages can still be backed up: what is left of swap.
///
/// C: `ttm_backup_bytes_avail()`.
pub fn room() -> u64 {
    // SAFETY: Takes nothing.
    (unsafe { bindings::ttm_backup_bytes_avail() }) >> PAGE_SHIFT
}

/// Returns whether this task, in the middle of an allocation, should rather not wait for jobs.
///
/// C: `ttm_bo_shrink_avoid_wait()`.
pub fn avoid_wait() -> bool {
    // SAFETY: Takes nothing.
    unsafe { bindings::ttm_bo_shrink_avoid_wait() }
}

impl<T: DriverBo> Reserved<'_, T> {
    /// Returns whether the BO has system pages that could be taken away: it is not pinned and,
    /// unless `ctx` lets wait for them, no job uses it.
    ///
    /// C: `ttm_bo_shrink_suitable()`.
    pub fn is_shrinkable(&self, ctx: &mut OperationCtx) -> bool {
        // SAFETY: The BO is valid and reserved.
        unsafe { bindings::ttm_bo_shrink_suitable(self.bo().as_raw(), ctx.as_raw()) }
    }

    /// Returns whether the content, or a part of it, is backed up.
    pub fn is_backed_up(&self) -> bool {
        // SAFETY: The BO is valid and reserved.
        unsafe { bindings::rgt_ttm_bo_is_backed_up(self.bo().as_raw()) }
    }

    /// Moves the BO to [`MemType::SYSTEM`](super::MemType::SYSTEM), copies its pages to shmem, to
    /// be restored when it is populated again, and frees them. With `writeback`, it begins to write
    /// the copy to swap.
    ///
    /// Returns the number of pages freed, which may be a part of them only. `EBUSY` when that is
    /// none, also where the pages are coherent memory; `ERESTARTSYS` when a signal came, if `ctx` is
    /// interruptible.
    ///
    /// May be called in the context of a memory allocation that may enter file systems and, for
    /// `writeback`, may start I/O. The BO's move to system pages must allow that, too.
    ///
    /// C: `ttm_bo_shrink()`.
    pub fn back_up(&mut self, ctx: &mut OperationCtx, writeback: bool) -> Result<usize> {
        let bo = self.bo().as_raw();
        if !self.is_shrinkable(ctx) {
            return Err(EBUSY);
        }
        self.wait_idle(ctx).map_err(|err| match err {
            ERESTARTSYS => err,
            _ => EBUSY,
        })?;
        if let Some(data) = self.tt_data() {
            T::Driver::tt_unpopulate(data);
        }

        // SAFETY: The BO is valid and reserved, and has pages.
        let ret = unsafe { bindings::rgt_ttm_bo_back_up(bo, ctx.as_raw(), writeback) };
        if self.is_backed_up() {
            let dev = Device::<T::Driver>::of(self.bo().device());
            // SAFETY: The BO is of `dev`. It had pages, and counts as if it had none now.
            unsafe { pool::count_pages(dev, (*bo).ttm, false) };
        }
        let pages = usize::try_from(ret).map_err(|_| EBUSY)?;
        if pages == 0 {
            return Err(EBUSY);
        }
        Ok(pages)
    }

    /// Takes the backing and the content away, backed up or not, after waiting for all users. What
    /// the BO gets next reads as zeros.
    ///
    /// The GPU's mappings are the caller's business: no move is made. On failure the content is
    /// still there. `EBUSY` for a pinned BO.
    ///
    /// C: `ttm_bo_pipeline_gutting()`.
    pub fn purge(&mut self, ctx: &mut OperationCtx) -> Result {
        if self.pin_count() != 0 {
            return Err(EBUSY);
        }
        // SAFETY: The BO is valid and reserved.
        to_result(unsafe { bindings::rgt_ttm_bo_purge(self.bo().as_raw(), ctx.as_raw()) })
    }

    /// Sets whether the BO's pages can be freed with their content, for
    /// [`Device::purgeable_pages()`].
    ///
    /// It is forgotten when the BO moves to memory without pages.
    pub fn set_purgeable(&mut self, purgeable: bool) {
        // SAFETY: `ttm` is protected by the reservation.
        let tt = unsafe { (*self.bo().as_raw()).ttm };
        if !tt.is_null() {
            // SAFETY: `pool::create()` makes all of them; the BO is reserved and of that device.
            unsafe {
                pool::set_purgeable(Device::<T::Driver>::of(self.bo().device()), tt, purgeable)
            };
        }
    }

    /// Removes the CPU's mappings. The next access is a page fault.
    ///
    /// C: `ttm_bo_unmap_virtual()`.
    pub fn unmap_cpu(&mut self) {
        // SAFETY: The BO is valid and reserved.
        unsafe { bindings::ttm_bo_unmap_virtual(self.bo().as_raw()) };
    }
}
