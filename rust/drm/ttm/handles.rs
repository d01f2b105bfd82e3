// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Handles of buffer objects, which files get and lose.
//!
//! C header: [`include/drm/drm_gem.h`](srctree/include/drm/drm_gem.h)

use kernel::{
    drm,
    prelude::*, //
};

use super::{
    Bo,
    DriverBo, //
};
use crate::rust::bindings;

impl<T: DriverBo> Bo<T> {
    /// Calls [`DriverBo::open()`] for a handle that a file is to get. `EINVAL` for a file of another
    /// device, where the BO does not belong, and for a BO that only the kernel uses.
    ///
    /// # Safety
    ///
    /// Only for GEM, as `drm_gem_object_funcs::open` of a `Bo<T>`.
    pub(super) unsafe extern "C" fn open_callback(
        obj: *mut bindings::drm_gem_object,
        file: *mut bindings::drm_file,
    ) -> c_int {
        // SAFETY: GEM calls this with a valid object, which is never a ghost.
        let this = unsafe { &*obj.cast::<Self>() };
        // SAFETY: GEM calls this with an open file, but of any device.
        let same_device = unsafe { (*(*file).minor).dev == (*obj).dev };
        if !same_device || this.is_kernel() {
            return EINVAL.to_errno();
        }

        // SAFETY: The file is one of the object's device, hence of its driver.
        let file = unsafe { drm::File::from_raw(file) };
        T::open(this, file).map_or_else(Error::to_errno, |()| 0)
    }

    /// Calls [`DriverBo::close()`] for a handle that a file has had.
    ///
    /// # Safety
    ///
    /// Only for GEM, as `drm_gem_object_funcs::close` of a `Bo<T>`.
    pub(super) unsafe extern "C" fn close_callback(
        obj: *mut bindings::drm_gem_object,
        file: *mut bindings::drm_file,
    ) {
        // SAFETY: GEM calls this with a valid object and file, for which `open_callback()` was
        // called: the file is one of the object's device, hence of its driver. It is not closed
        // before its handles are.
        let (this, file) = unsafe { (&*obj.cast::<Self>(), drm::File::from_raw(file)) };

        T::close(this, file);
    }
}
