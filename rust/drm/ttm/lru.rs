// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The order in which buffer objects are evicted.
//!
//! A resource manager has a list for each priority, oldest use first. TTM evicts from the list of
//! the lowest priority until that is empty, then from the next.
//!
//! C header: [`include/drm/ttm/ttm_resource.h`](srctree/include/drm/ttm/ttm_resource.h)

use super::{
    Bo,
    Device,
    Driver,
    DriverBo,
    MemType,
    Place,
    Reserved, //
};
use crate::rust::bindings;

/// The LRU priority of a buffer object: a higher one is evicted later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Priority(u32);

impl Priority {
    /// Evicted before all others. New buffer objects have it.
    pub const LOWEST: Self = Self(0);

    /// Evicted when nothing of a lower priority is left. There are few levels: a `level` that TTM
    /// does not have is an error at build time.
    pub const fn new<const LEVEL: u32>() -> Self {
        const { assert!(LEVEL < bindings::TTM_MAX_BO_PRIORITY) };
        Self(LEVEL)
    }

    /// Returns the level, 0 for the lowest.
    pub const fn level(self) -> u32 {
        self.0
    }
}

impl<T: DriverBo> Reserved<'_, T> {
    /// Returns the buffer object's priority.
    pub fn priority(&self) -> Priority {
        // SAFETY: Reserved, which protects the priority.
        Priority(unsafe { (*self.bo().as_raw()).priority })
    }

    /// Returns whether evicting the buffer object makes room in `place`, or anywhere without one.
    /// `false` for a buffer object without memory.
    ///
    /// C: `ttm_bo_eviction_valuable()`.
    pub fn intersects(&self, place: Option<&Place>) -> bool {
        let place = place.map_or(core::ptr::null(), core::ptr::from_ref);

        // SAFETY: The BO is valid and reserved, and has a resource. `Place` is transparent over
        // `ttm_place`.
        self.resource().is_some()
            && unsafe { bindings::ttm_bo_eviction_valuable(self.bo().as_raw(), place.cast()) }
    }

    /// Sets the buffer object's priority and makes it the last of that to be evicted, as a use
    /// does.
    pub fn touch_as(&self, priority: Priority) {
        // SAFETY: The BO is valid and reserved, and TTM has a list for each `Priority`.
        unsafe { bindings::rgt_ttm_bo_set_priority(self.bo().as_raw(), priority.0) };
    }
}

impl<T: Driver> Device<T> {
    /// Calls `f` with the data of the buffer object of a priority that is the first to be evicted
    /// from a memory type; [`None`] when there is none.
    ///
    /// `f` runs with TTM's lock of the lists held: it must not sleep and not call TTM.
    pub fn with_oldest<R>(
        &self,
        mem_type: MemType,
        priority: Priority,
        f: impl FnOnce(&T::Bo) -> R,
    ) -> Option<R> {
        let bdev = self.ready().ok()?;
        let _lock = LruLock::new(bdev);

        // SAFETY: The device is initialised and the lists are locked.
        let bo =
            unsafe { bindings::rgt_ttm_lru_first(bdev, mem_type.as_raw(), priority.0).as_ref() }?;
        // SAFETY: It is a BO of the device, and not destroyed before it has left the list.
        let bo = unsafe { Bo::<T::Bo>::from_raw(core::ptr::from_ref(bo).cast_mut()) }?;

        // Nothing but its data is given out: the BO may have no reference any more.
        Some(f(bo))
    }
}

/// Holds the lock of a device's lists.
pub(super) struct LruLock(*mut bindings::ttm_device);

impl LruLock {
    pub(super) fn new(bdev: *mut bindings::ttm_device) -> Self {
        // SAFETY: The caller passes an initialised device.
        unsafe { bindings::rgt_ttm_lru_lock(bdev) };
        Self(bdev)
    }
}

impl Drop for LruLock {
    fn drop(&mut self) {
        // SAFETY: Locked by `new()`.
        unsafe { bindings::rgt_ttm_lru_unlock(self.0) };
    }
}

impl<T: DriverBo> Reserved<'_, T> {
    /// Returns whether the buffer object's memory is charged to the cgroup of the current task.
    pub fn is_of_own_cgroup(&self) -> bool {
        // SAFETY: The BO is valid and reserved, and has a resource.
        self.resource().is_some()
            && unsafe { bindings::rgt_ttm_bo_is_of_own_cgroup(self.bo().as_raw()) }
    }

    /// Returns whether the buffer object's memory is protected by its cgroup's limits, and the
    /// current task is of another cgroup.
    ///
    /// TTM never evicts what is protected by `min`, but does evict what is protected by `low` when
    /// there is nothing else. A driver that evicts by choice should not.
    pub fn is_protected(&self) -> bool {
        // SAFETY: The BO is valid and reserved, and has a resource.
        self.resource().is_some()
            && unsafe { bindings::rgt_ttm_bo_is_protected(self.bo().as_raw()) }
    }
}
