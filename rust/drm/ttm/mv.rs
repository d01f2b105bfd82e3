// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Moves of buffer objects from one resource to another.
//!
//! C header: [`include/drm/ttm/ttm_device.h`](srctree/include/drm/ttm/ttm_device.h)

use core::marker::PhantomData;

use kernel::{
    prelude::*,
    time::Jiffies, //
};

use super::{
    memcpy::memcpy,
    DriverBo,
    OperationCtx,
    Place,
    Reserved,
    Resource, //
};
use crate::rust::{
    bindings,
    dma_fence::Fence, //
};

/// A move that TTM wants done.
///
/// The driver ends it with one of the methods that return a [`Moved`], or asks for a stop on the
/// way with [`MoveOutcome::Hop`], or fails, which leaves the BO where it was.
pub struct Move<'a, T: DriverBo> {
    /// The BO, still in its old resource.
    pub bo: Reserved<'a, T>,
    /// How to wait.
    pub ctx: &'a mut OperationCtx,
    /// Whether the BO is moved to make room.
    pub evict: bool,
    new: &'a Resource,
}

/// Shows that a move was done. Only the methods of its [`Move`] make it.
pub struct Moved<'a> {
    /// Context and sequence number of the fence that the move ends with.
    fence: Option<(u64, u64)>,
    _move: PhantomData<&'a mut ()>,
}

impl Moved<'_> {
    /// The content is where it is to be.
    fn now() -> Self {
        Self {
            fence: None,
            _move: PhantomData,
        }
    }

    /// The content is there when `fence` signals.
    fn behind(fence: &Fence) -> Self {
        Self {
            fence: Some((fence.context(), fence.seqno())),
            _move: PhantomData,
        }
    }

    /// Returns context and sequence number of the fence that the move ends with, unless it has
    /// ended.
    pub fn fence(&self) -> Option<(u64, u64)> {
        self.fence
    }
}

/// What became of a move.
pub enum MoveOutcome<'a> {
    /// It is done, or its fence is on the BO.
    Done(Moved<'a>),
    /// The BO must go to this place first; TTM then asks for the rest of the way.
    Hop(Place),
}

impl<'a, T: DriverBo> Move<'a, T> {
    /// # Safety
    ///
    /// The arguments must be those of one call of the `move` callback.
    pub(super) unsafe fn new(
        bo: Reserved<'a, T>,
        ctx: &'a mut OperationCtx,
        evict: bool,
        new: &'a Resource,
    ) -> Self {
        Self {
            bo,
            ctx,
            evict,
            new,
        }
    }

    /// The resource to move to.
    pub fn new_resource(&self) -> &'a Resource {
        self.new
    }

    /// Gives the BO its new resource with nothing to copy: it had none, or the pages stay.
    ///
    /// C: `ttm_bo_move_null()`.
    pub fn null(self) -> Moved<'a> {
        // SAFETY: The BO is reserved and `new` is TTM's new resource for it.
        unsafe { bindings::rgt_ttm_bo_move_null(self.bo.bo().as_raw(), self.new.as_raw()) };
        Moved::now()
    }

    /// Gives the BO its new resource without its content, after waiting for all users: it reads as
    /// zeros.
    pub fn discarded(self) -> Result<Moved<'a>> {
        self.bo.wait_idle(self.ctx)?;
        // SAFETY: The BO is reserved, idle, and `new` is TTM's new resource for it.
        unsafe { bindings::rgt_ttm_bo_move_discard(self.bo.bo().as_raw(), self.new.as_raw()) };
        Ok(Moved::now())
    }

    /// As [`Self::null()`], and the new resource must not be used before `fence` has signalled.
    pub fn null_behind(self, fence: &Fence) -> Moved<'a> {
        // SAFETY: `ttm_bo_handle_move_mem()` reserves a slot before it calls the driver, and all
        // ends of a move consume it.
        unsafe { self.bo.add_move_fence(fence) };
        self.null();
        Moved::behind(fence)
    }

    /// Gives the BO its new resource, to which the content is copied when `fence` signals.
    ///
    /// The old resource is given to others behind the fence, which has to wait for all users of
    /// the BO: with a ghost of the BO, or through the manager if the BO makes room there. At most
    /// `TTM_NUM_MOVE_FENCES` contexts can have such fences. The fence need not succeed.
    ///
    /// C: `ttm_bo_move_accel_cleanup()`.
    pub fn accelerated(self, fence: &Fence) -> Result<Moved<'a>> {
        // SAFETY: The BO is reserved, with a slot for the fence as for `null_behind()`, and `new`
        // is TTM's new resource for it.
        let ret = unsafe {
            bindings::ttm_bo_move_accel_cleanup(
                self.bo.bo().as_raw(),
                fence.as_raw(),
                self.evict,
                true,
                self.new.as_raw(),
            )
        };
        if ret == 0 {
            return Ok(Moved::behind(fence));
        }

        // There was no memory for a ghost, but the content is on its way: go with it.
        fence.wait(false, Jiffies::MAX)?;
        self.copied()
    }

    /// Gives the BO its new resource after the content was copied. Waits for all users of the old
    /// one, see [`Reserved::wait_idle()`], before it frees that.
    ///
    /// C: `ttm_bo_move_sync_cleanup()`.
    pub fn copied(self) -> Result<Moved<'a>> {
        self.bo.wait_idle(self.ctx)?;
        // SAFETY: The BO is reserved, has a resource, and `new` is TTM's new resource for it.
        unsafe { bindings::rgt_ttm_bo_move_sync_cleanup(self.bo.bo().as_raw(), self.new.as_raw()) };
        Ok(Moved::now())
    }

    /// Waits for all users of the BO and copies the content with the CPU.
    ///
    /// `EINVAL` when the CPU does not see all of the device memory.
    ///
    /// C: as `ttm_bo_move_memcpy()`, which cannot copy device memory in several pieces.
    pub fn memcpy(mut self) -> Result<Moved<'a>> {
        let old = self.bo.resource().ok_or(EINVAL)?;
        if old.uses_tt() || self.new.uses_tt() {
            self.bo.populate(self.ctx)?;
        }
        self.bo.wait_idle(self.ctx)?;
        memcpy(&self.bo, self.new)?;
        self.copied()
    }
}
