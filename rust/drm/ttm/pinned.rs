// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Buffer objects that are pinned.
//!
//! C header: [`include/drm/ttm/ttm_bo.h`](srctree/include/drm/ttm/ttm_bo.h)

use core::{
    mem::ManuallyDrop,
    ops::Deref,
    ptr, //
};

use kernel::{
    prelude::*,
    sync::aref::ARef,
    time::Jiffies, //
};

use super::{
    Bo,
    Driver,
    DriverBo,
    Reserved,
    Resource, //
};
use crate::rust::{
    bindings,
    dma_resv::Usage, //
};

/// A buffer object that stays where it is, with its content: it cannot be moved, evicted, purged
/// or backed up.
///
/// Dropping it takes the reservation, which must not be held.
///
/// A pin is nothing to be copied, or to be undone twice:
///
/// ```compile_fail,E0382
/// # use crate::rust::drm::ttm::{DriverBo, Pinned};
/// fn unpin_twice<T: DriverBo>(pinned: Pinned<T>) {
///     drop(pinned);
///     drop(pinned);
/// }
/// ```
///
/// # Invariants
///
/// One of the pins of `bo` belongs to this, so that the BO has a resource, which does not change. No
/// move of it was under way when it was pinned.
pub struct Pinned<T: DriverBo>(ARef<Bo<T>>);

impl<T: DriverBo> Pinned<T> {
    /// Returns the resource that backs the BO.
    pub fn resource(&self) -> &Resource {
        // SAFETY: By the type invariants it is valid and does not change.
        unsafe { Resource::from_raw((*self.0.as_raw()).resource) }
    }

    /// Unpins the BO.
    ///
    /// # Safety
    ///
    /// The BO must be reserved.
    pub(super) unsafe fn unpin(self) {
        // SAFETY: It is reserved by the safety requirements. By the type invariants there is a pin,
        // which is given up.
        unsafe { bindings::ttm_bo_unpin(self.0.as_raw()) };
        self.into_c();
    }

    /// Hands the pin to C.
    pub(super) fn into_c(self) {
        let this = ManuallyDrop::new(self);

        // SAFETY: The field is valid, and not used any more.
        drop(unsafe { ptr::read(&raw const this.0) });
    }

    /// Takes over a pin from C.
    ///
    /// # Safety
    ///
    /// There must be one, of [`Self::into_c()`].
    pub(super) unsafe fn from_c(bo: &Bo<T>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(bo.into())
    }
}

impl<T: DriverBo> Deref for Pinned<T> {
    type Target = Bo<T>;

    fn deref(&self) -> &Bo<T> {
        &self.0
    }
}

impl<T: DriverBo> Drop for Pinned<T> {
    fn drop(&mut self) {
        // Without a ticket and without signals this does not fail.
        if let Ok(guard) = self.0.reserve(false) {
            // SAFETY: The reservation is held. By the type invariants there is a pin.
            unsafe { bindings::ttm_bo_unpin(self.0.as_raw()) };
            guard.release_unused();
        }
    }
}

impl<T: DriverBo> Reserved<'_, T> {
    /// Pins the BO where it is, once a move of it that is under way has ended. Pins nest.
    ///
    /// Returns `EINVAL` if it has no backing, or that of another device, `ERESTARTSYS` when
    /// `interruptible` and a signal came, and the error of [`Driver::check_content()`].
    ///
    /// C: `ttm_bo_pin()`.
    pub fn pin(&mut self, interruptible: bool) -> Result<Pinned<T>> {
        let bo = self.bo();

        if self.resource().is_none() || self.is_imported() {
            return Err(EINVAL);
        }
        bo.resv().wait(Usage::Kernel, interruptible, Jiffies::MAX)?;
        T::Driver::check_content(bo)?;
        // SAFETY: The reservation is held.
        unsafe { bindings::ttm_bo_pin(bo.as_raw()) };
        // INVARIANT: It was pinned, and has a resource.
        Ok(Pinned(bo.into()))
    }
}
