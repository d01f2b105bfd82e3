// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Open files of a DRM device, as the clients that they are.
//!
//! C header: [`include/drm/drm_file.h`](srctree/include/drm/drm_file.h)

use core::ptr::NonNull;

use kernel::{
    drm::{
        self,
        file::DriverFile,
        gem::IntoGEMObject,
        DeviceContext, //
    },
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    }, //
};

use crate::rust::bindings;

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

/// Calls `f` with each object that the client has a handle of. `f` may sleep.
///
/// An object with two handles comes up twice. Which of the handles that come and go meanwhile are
/// seen is open.
pub fn for_each_object<D, T>(file: &drm::File<T>, mut f: impl FnMut(ARef<D::Object>))
where
    D: drm::Driver<File = T, Object: AlwaysRefCounted>,
    T: DriverFile<Driver = D>,
{
    let mut handle = 0;

    loop {
        // SAFETY: The file is valid.
        let obj = unsafe { bindings::rgt_drm_file_next_object(raw(file), &mut handle) };
        let Some(obj) = NonNull::new(obj) else {
            return;
        };
        // SAFETY: All handles of a file are of objects of its driver, which are of type `Object`.
        let obj = NonNull::from(unsafe { D::Object::from_raw(obj.as_ptr()) });
        // SAFETY: The reference that C took becomes ours.
        f(unsafe { ARef::from_raw(obj) });
        handle += 1;
    }
}

/// Calls `f` with each open file of a device. No file can be opened or closed meanwhile.
///
/// C: `drm_device::filelist`.
pub fn for_each<D, T, C>(dev: &drm::Device<D, C>, f: impl FnMut(&drm::File<T>))
where
    D: drm::Driver<File = T>,
    T: DriverFile<Driver = D>,
    C: DeviceContext,
{
    /// # Safety
    ///
    /// `file` must be a valid file of a driver with files of type `T`, and `arg` an `F` without
    /// another user.
    unsafe extern "C" fn call<T: DriverFile, F: FnMut(&drm::File<T>)>(
        file: *mut bindings::drm_file,
        arg: *mut c_void,
    ) {
        // SAFETY: By the safety requirements. `drm::File` is transparent over `drm_file`.
        let (f, file) = unsafe { (&mut *arg.cast::<F>(), &*file.cast::<drm::File<T>>()) };

        f(file);
    }

    /// Infers the function for a closure.
    fn call_of<T: DriverFile, F: FnMut(&drm::File<T>)>(
        _: &F,
    ) -> unsafe extern "C" fn(*mut bindings::drm_file, *mut c_void) {
        call::<T, F>
    }

    let mut f = f;
    let call = call_of::<T, _>(&f);
    // SAFETY: The device is valid. Files in its list are open, and of the device's driver.
    // CAST: `drm::Device` is `repr(C)` and begins with its `drm_device`.
    unsafe {
        bindings::rgt_drm_visit_files(
            core::ptr::from_ref(dev).cast_mut().cast(),
            Some(call),
            (&raw mut f).cast(),
        )
    };
}
