// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Open files of a DRM device, as the clients that they are.
//!
//! C header: [`include/drm/drm_file.h`](srctree/include/drm/drm_file.h)

use crate::rust::bindings;
use kernel::drm::{
    self,
    file::DriverFile, //
};

/// Returns the `struct drm_file` of an open file.
pub(super) fn raw<T: DriverFile>(file: &drm::File<T>) -> *mut bindings::drm_file {
    // CAST: `drm::File` is transparent over `drm_file`.
    core::ptr::from_ref(file).cast_mut().cast()
}

/// Returns the number that names the client in fdinfo, unique on the machine and never 0.
///
/// C: `drm_file::client_id`.
pub fn client_id<T: DriverFile>(file: &drm::File<T>) -> u64 {
    // SAFETY: `raw()` returns a valid `drm_file`, whose number does not change.
    unsafe { (*raw(file)).client_id }
}
