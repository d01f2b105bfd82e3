// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffer objects in bulk moves: how they get there and are used as one, and how they leave, at the
//! latest before they are destroyed.
//!
//! C header: [`include/drm/ttm/ttm_bo.h`](srctree/include/drm/ttm/ttm_bo.h)

use core::ptr;

use kernel::{
    drm,
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};

use super::{
    bo::Fields,
    lru::LruLock,
    Bo,
    BulkMove,
    Device,
    Driver,
    DriverBo,
    Reserved, //
};
use crate::rust::{
    bindings,
    dma_resv::LockedResv,
    drm::{
        device::{
            self,
            KeptDevice, //
        },
        gem::ResvObject, //
    }, //
};

impl BulkMove {
    /// Creates a bulk move without BOs, for those that share a reservation.
    ///
    /// `ENODEV` before the device is up, `EINVAL` when the object is of another device.
    pub fn new<T: Driver>(dev: &drm::Device<T>, object: &ResvObject) -> Result<Arc<Self>> {
        let bdev = Device::of(dev).ready()?;
        if object.raw_device() != device::raw(dev) {
            return Err(EINVAL);
        }

        // SAFETY: The device is initialised, and `object` is of it.
        unsafe { Self::empty(bdev, object) }
    }

    /// Makes all BOs in it the last to be evicted, in the order in which they are, as a use of all
    /// of them does.
    ///
    /// `EINVAL` when another reservation than theirs is locked. Does not sleep.
    ///
    /// C: `ttm_lru_bulk_move_tail()`.
    pub fn move_to_tail(&self, locked: &LockedResv<'_>) -> Result {
        if locked.as_raw() != self.resv().as_raw() {
            return Err(EINVAL);
        }
        let _lock = LruLock::new(self.bdev());

        // SAFETY: The lists are locked, and so is the reservation of all BOs in it.
        unsafe { bindings::ttm_lru_bulk_move_tail(self.as_raw()) };
        Ok(())
    }
}

impl<T: DriverBo> Reserved<'_, T> {
    /// Has the BO move with others on the LRU lists, or alone.
    ///
    /// As long as it is pinned it is on no list, and comes back among the others afterwards.
    /// `EINVAL` when its reservation is not that of `bulk`, `ENODEV` when the device is unbound.
    ///
    /// C: `ttm_bo_set_bulk_move()`.
    pub fn set_bulk_move(&mut self, bulk: Option<&Arc<BulkMove>>) -> Result {
        let bo = self.bo();

        if let Some(bulk) = bulk {
            let dev = Device::of(bo.device());
            if bulk.resv().as_raw() != bo.resv().as_raw() || bulk.bdev() != dev.ready()? {
                return Err(EINVAL);
            }
            // Who sets it will see this BO when it has the reservation.
            if dev.unbound.load(Relaxed) {
                return Err(ENODEV);
            }
        }
        // SAFETY: The BO is reserved.
        unsafe { bo.replace_bulk_move(bulk.cloned()) };
        Ok(())
    }
}

impl<T: DriverBo> Bo<T> {
    /// # Safety
    ///
    /// The BO must be reserved, and be valid but for its reference count.
    unsafe fn replace_bulk_move(&self, bulk: Option<Arc<BulkMove>>) {
        let raw = bulk.as_ref().map_or(ptr::null_mut(), |bulk| bulk.as_raw());

        // SAFETY: The BO is reserved. The new one is kept by what is stored, and the old one until
        // the BO has left it.
        unsafe {
            bindings::ttm_bo_set_bulk_move(self.as_raw(), raw);
            *Fields::bulk_move(self) = bulk;
        }
    }

    /// Takes the BO out of its bulk move for good, as its device is unbound.
    pub(super) fn leave_bulk_move(&self) {
        // Without a ticket and without signals this does not fail.
        if let Ok(guard) = self.reserve(false) {
            // SAFETY: The BO is reserved.
            unsafe { self.replace_bulk_move(None) };
            guard.release_unused();
        }
    }

    /// Takes a BO without references out of its bulk move, which needs the reservation, and then
    /// drops TTM's own. If the reservation is held, by whoever dropped the last reference perhaps,
    /// that is left to the work queue that destroys busy BOs.
    ///
    /// # Safety
    ///
    /// Only once, for a BO without references whose first one's reference to the device is handed
    /// over.
    pub(super) unsafe fn release(this: *mut Self) {
        // SAFETY: TTM's own reference keeps the BO. Without others its bulk move does not change.
        let bo = unsafe { &*this };
        // SAFETY: As above.
        if unsafe { (*Fields::bulk_move(bo)).is_some() } {
            let Some(guard) = bo.resv().try_lock() else {
                // SAFETY: TTM uses the work only when its reference is gone. The queue is drained
                // before the device goes, and flushed when it is unbound, since when no BO is in a
                // bulk move.
                unsafe { bindings::rgt_ttm_bo_release_later(bo.as_raw(), Some(release_work::<T>)) };
                return;
            };
            // SAFETY: The BO is reserved.
            unsafe { bo.replace_bulk_move(None) };
            drop(guard);
        }

        // SAFETY: The reference is TTM's own, and that to the device handed over.
        unsafe {
            let dev = device::raw(bo.device());
            bindings::ttm_bo_fini(this.cast());
            bindings::drm_dev_put(dev);
        }
    }
}

/// Goes on with [`Bo::release()`] when the reservation can be waited for.
///
/// # Safety
///
/// Only for `release()`.
unsafe extern "C" fn release_work<T: DriverBo>(work: *mut bindings::work_struct) {
    // SAFETY: By the safety requirements it is the work of a BO that TTM's reference keeps, and
    // that has a reference to its device, which may be the last.
    unsafe {
        let raw = bindings::rgt_ttm_bo_of_delayed_delete(work);
        let _kept = KeptDevice::from_owned((*raw).base.dev);
        let bo = &*raw.cast::<Bo<T>>();

        bo.leave_bulk_move();
        bindings::ttm_bo_fini(raw);
    }
}
