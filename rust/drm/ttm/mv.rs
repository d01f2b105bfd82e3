// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Moves of buffer objects from one resource to another.
//!
//! C header: [`include/drm/ttm/ttm_device.h`](srctree/include/drm/ttm/ttm_device.h)

use core::marker::PhantomData;

use kernel::{
    error::to_result,
    prelude::*,
    time::Jiffies, //
};

use super::{
    DriverBo,
    OperationCtx,
    Place,
    Reserved,
    Resource, //
};
use crate::rust::{
    bindings,
    dma_fence::Fence,
    dma_resv::LockedResv, //
};

/// A move that TTM wants done.
///
/// The driver ends it with one of the methods that return a [`Moved`], or asks for a stop on the
/// way with [`MoveOutcome::Hop`], or fails, which leaves the BO where it was.
///
/// Nothing of it can be exchanged: its methods act on the BO and the resource of TTM's call.
pub struct Move<'a, T: DriverBo> {
    pub(super) bo: Reserved<'a, T>,
    pub(super) ctx: &'a mut OperationCtx,
    evict: bool,
    pub(super) new: &'a Resource,
}

/// Shows that a move was done. Only the methods of its [`Move`] make it.
pub struct Moved<'a> {
    /// Context and sequence number of the fence that the move ends with.
    fence: Option<(u64, u64)>,
    _move: PhantomData<&'a mut ()>,
}

impl Moved<'_> {
    /// The content is where it is to be.
    pub(super) fn now() -> Self {
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

/// The outcome of a move.
pub enum MoveOutcome<'a> {
    /// The move is done, or its fence is on the BO.
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

    /// Returns the BO, still in its old resource.
    pub fn bo(&self) -> &Reserved<'a, T> {
        &self.bo
    }

    /// Returns the BO's held reservation.
    pub fn locked_resv(&mut self) -> LockedResv<'_> {
        self.bo.locked_resv()
    }

    /// Returns whether the BO is moved to make room.
    pub fn is_eviction(&self) -> bool {
        self.evict
    }

    /// Waits for all users of the BO as TTM lets the move wait, see [`Reserved::wait_idle()`].
    pub fn wait_idle(&mut self) -> Result {
        self.bo.wait_idle(self.ctx)
    }

    /// Invalidates the mappings of importers, and makes room for the move's fence, which they may
    /// have used.
    pub(super) fn invalidate_shared(&mut self) -> Result {
        self.bo.invalidate_shared(Some(self.ctx))?;
        self.reserve_fence()
    }

    /// Unmaps an imported BO that no job uses, see [`Reserved::unmap_import()`].
    pub(super) fn unmap_import(&mut self) {
        self.bo.unmap_import();
    }

    /// Reserves room for the fence of the move. TTM has done that, but what was called since may
    /// have used the room.
    fn reserve_fence(&self) -> Result {
        // SAFETY: The reservation is held.
        to_result(unsafe { bindings::dma_resv_reserve_fences(self.bo.resv().as_raw(), 1) })
    }

    /// Returns the resource to move to.
    pub fn new_resource(&self) -> &'a Resource {
        self.new
    }

    /// Assigns the new resource with nothing to copy: it had none, or the pages stay.
    ///
    /// C: `ttm_bo_move_null()`.
    pub fn null(self) -> Moved<'a> {
        // SAFETY: The BO is reserved and `new` is TTM's new resource for it.
        unsafe { bindings::rgt_ttm_bo_move_null(self.bo.bo().as_raw(), self.new.as_raw()) };
        Moved::now()
    }

    /// Assigns the new resource as [`Self::null()`] does; it must not be used before `fence` has
    /// signalled.
    pub fn null_behind(self, fence: &Fence) -> Moved<'a> {
        if self.reserve_fence().is_err() {
            // There is no way back any more. Not interruptible, and without a timeout it does not
            // fail.
            let _ = fence.wait(false, Jiffies::MAX);
            return self.null();
        }

        // SAFETY: Room was made above.
        unsafe { self.bo.add_move_fence(fence) };
        self.null();
        Moved::behind(fence)
    }

    /// Assigns the new resource, to which the content is copied when `fence` signals.
    ///
    /// The old resource is given to others behind the fence, which has to wait for all users of
    /// the BO: through the manager for device-local memory, which so is room at once, and with a
    /// ghost of the BO for pages. At most `TTM_NUM_MOVE_FENCES` contexts can have such fences. The
    /// fence need not succeed. Of a BO without an old resource this is [`Self::null_behind()`].
    ///
    /// C: `ttm_bo_move_accel_cleanup()`.
    pub fn accelerated(self, fence: &Fence) -> Result<Moved<'a>> {
        let Some(old) = self.bo.resource() else {
            return Ok(self.null_behind(fence));
        };
        let at_once = self.evict || !old.uses_tt();
        let ended = self.reserve_fence().and_then(|()| {
            // SAFETY: The BO is reserved, has a resource, and room for the fence, and `new` is
            // TTM's new resource for it.
            to_result(unsafe {
                bindings::ttm_bo_move_accel_cleanup(
                    self.bo.bo().as_raw(),
                    fence.as_raw(),
                    at_once,
                    true,
                    self.new.as_raw(),
                )
            })
        });
        if ended.is_ok() {
            return Ok(Moved::behind(fence));
        }

        // There was no memory, but the content is on its way: go with it.
        fence.wait(false, Jiffies::MAX)?;
        self.copied()
    }

    /// Assigns the new resource after the content was copied. Waits for all users of the old one,
    /// see [`Reserved::wait_idle()`], before it frees that.
    ///
    /// C: `ttm_bo_move_sync_cleanup()`.
    pub fn copied(mut self) -> Result<Moved<'a>> {
        self.wait_idle()?;
        // SAFETY: The BO is reserved, has a resource, and `new` is TTM's new resource for it.
        unsafe { bindings::rgt_ttm_bo_move_sync_cleanup(self.bo.bo().as_raw(), self.new.as_raw()) };
        Ok(Moved::now())
    }
}
