// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffer objects in callbacks of TTM, which may come when no reference to them is left.
//!
//! TTM counts its own references. A buffer object that GEM has released stays on the lists until
//! those are gone, too, and then until its fences have signalled: TTM evicts it meanwhile. A driver
//! that was given such a one could take a reference to it, which would not keep it.

use core::ops::Deref;

use kernel::{
    drm,
    sync::aref::ARef, //
};

use super::{
    Bo,
    DriverBo,
    Resource, //
};
use crate::rust::drm::device::{
    self,
    KeptDevice, //
};

/// A reference to a BO for the time of a callback. Dropping it does not release the device, which
/// could wait for what the callback holds.
pub(super) struct LiveBo<T: DriverBo> {
    bo: ARef<Bo<T>>,
    // Dropped after the reference.
    _kept: KeptDevice,
}

impl<T: DriverBo> LiveBo<T> {
    /// Takes a reference, unless the last one is gone already.
    ///
    /// # Safety
    ///
    /// `bo` may have come from TTM: only its memory must be valid.
    pub(super) unsafe fn new(bo: &Bo<T>) -> Option<Self> {
        // SAFETY: By the safety requirements. The device is valid as long as the memory is.
        unsafe {
            let kept = KeptDevice::new(device::raw(bo.device()))?;
            let bo = bo.get_unless_zero()?;
            Some(Self { bo, _kept: kept })
        }
    }
}

impl<T: DriverBo> Deref for LiveBo<T> {
    type Target = Bo<T>;

    fn deref(&self) -> &Bo<T> {
        &self.bo
    }
}

/// A BO without references, of which a driver is told a last time. It gives access to the driver's
/// data, and to nothing that could be kept.
///
/// There is no way from it to a [`Bo`], which could be referred to anew:
///
/// ```compile_fail,E0277
/// # use kernel::sync::aref::ARef;
/// # use crate::rust::drm::ttm::{Bo, DriverBo, ReleasedBo};
/// fn release_notify<T: DriverBo>(bo: &ReleasedBo<'_, T>) {
///     let _: ARef<Bo<T>> = bo.into();
/// }
/// ```
pub struct ReleasedBo<'a, T: DriverBo>(&'a Bo<T>);

impl<'a, T: DriverBo> ReleasedBo<'a, T> {
    /// # Safety
    ///
    /// `bo` must be valid for `'a` but for its reference count.
    pub(super) unsafe fn new(bo: &'a Bo<T>) -> Self {
        Self(bo)
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// Returns whether the BO has memory that is no system pages.
    pub(super) fn is_local(&self) -> bool {
        // SAFETY: Valid by the type's requirements. Without references it does not change any more.
        unsafe {
            let res = (*self.0.as_raw()).resource;
            !res.is_null() && !Resource::from_raw(res).uses_tt()
        }
    }

    /// Calls `f` with the BO's device unless that is being released, too.
    pub fn with_device<R>(&self, f: impl FnOnce(&drm::Device<T::Driver>) -> R) -> Option<R> {
        // SAFETY: The device is valid as long as its BOs are.
        let _kept = unsafe { KeptDevice::new(device::raw(self.0.device())) }?;

        Some(f(self.0.device()))
    }
}

impl<T: DriverBo> Deref for ReleasedBo<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0
    }
}
