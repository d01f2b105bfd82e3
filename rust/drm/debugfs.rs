// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Files in the debugfs directory of a DRM device.
//!
//! DRM makes the directory and removes it, with the files, when the device is unregistered. From
//! then on a file that is still open gives errors, and no task is in the driver's code any more:
//! the removal waits for readers.
//!
//! C header: [`include/drm/drm_debugfs.h`](srctree/include/drm/drm_debugfs.h)

use kernel::{
    drm::{
        self,
        Registered,
        UnregisteredDevice, //
    },
    prelude::*,
    seq_file::SeqFile,
    str::CStr, //
};

use super::device;
use crate::rust::bindings;

/// A file that can be read.
pub trait File: 'static {
    /// The driver whose devices have the file.
    type Driver: drm::Driver + 'static;

    /// Its name.
    const NAME: &'static CStr;

    /// Prints its content. May sleep.
    ///
    /// When what is printed does not fit, this is called again.
    fn show(dev: &drm::Device<Self::Driver, Registered>, out: &SeqFile) -> Result;
}

/// Adds a file to the directory of a device. It is there once the device is registered.
///
/// As is the custom with debugfs, a failure is not reported.
///
/// C: `drm_debugfs_add_file()`.
pub fn add<F: File>(dev: &UnregisteredDevice<F::Driver>) {
    // SAFETY: The device is valid, the name lives for ever, and so does the function: the module
    // cannot go while a device is registered.
    unsafe {
        bindings::rgt_drm_debugfs_add_file(device::raw(dev), F::NAME.as_char_ptr(), Some(show::<F>))
    };
}

/// Prints a file's content.
///
/// # Safety
///
/// Only for DRM, as the `show` function of a file that [`add()`] made.
unsafe extern "C" fn show<F: File>(seq: *mut bindings::seq_file, _: *mut c_void) -> c_int {
    // SAFETY: DRM keeps the file's entry in there, which knows the device; `add()` saw to it that
    // this is one of the driver's. It lives as long as its files.
    let dev: &drm::Device<F::Driver> =
        unsafe { drm::Device::from_raw(bindings::rgt_drm_debugfs_device(seq)) };
    // SAFETY: The file is valid during the call, and locked for it.
    let out = unsafe { SeqFile::from_raw(seq) };

    let done = match device::enter(dev) {
        Some(guard) => F::show(&guard, out),
        None => Err(ENODEV),
    };
    done.map_or_else(|err| err.to_errno(), |()| 0)
}
