// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The fields of a driver's table that `kernel::drm` does not fill in.
//!
//! `kernel::drm` makes a constant `struct drm_driver` from [`drm::Driver`] and points the device at
//! it. [`extend()`] points a device that is not registered yet at a copy that also has what
//! [`DriverTable`] says. The constant is not touched, other devices keep theirs, and the copy lives
//! exactly as long as DRM can look at it: until the device's managed resources are released, when
//! the device gets its first table back.
//!
//! C header: [`include/drm/drm_drv.h`](srctree/include/drm/drm_drv.h)

use core::marker::PhantomData;

use kernel::{
    drm::{
        self,
        gem::IntoGEMObject,
        Registered,
        UnregisteredDevice, //
    },
    error::to_result,
    ioctl::_IOC_NR,
    module::this_module,
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    }, //
};

use super::device;
use crate::rust::{
    bindings,
    dma_buf::DmaBuf,
    drm::fdinfo::FdInfo, //
};

/// Features of a driver; combine with `|`.
///
/// `kernel::drm` knows GEM and render nodes.
#[derive(Clone, Copy)]
pub struct Features(u32);

impl Features {
    /// No feature.
    pub const NONE: Self = Self(0);
    /// Synchronisation objects: `drm_syncobj`.
    pub const SYNCOBJ: Self = Self(bindings::drm_driver_feature_DRIVER_SYNCOBJ);
    /// Synchronisation objects with a timeline.
    pub const SYNCOBJ_TIMELINE: Self = Self(bindings::drm_driver_feature_DRIVER_SYNCOBJ_TIMELINE);

    /// Returns these features and others.
    pub const fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Returns the bits of `drm_driver::driver_features`.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

/// The part of a driver's table that [`drm::Driver`] does not have.
pub trait DriverTable:
    drm::Driver<File: 'static, Object: IntoGEMObject + AlwaysRefCounted> + Sized + 'static
{
    /// Features on top of those that [`drm::Driver`] asks for.
    const FEATURES: Features = Features::NONE;

    /// Prints what is known of a client into its `/proc/PID/fdinfo` file.
    ///
    /// DRM itself prints driver, client and device. See
    /// `Documentation/gpu/drm-usage-stats.rst` for the keys.
    fn show_fdinfo(
        dev: &drm::Device<Self, Registered>,
        file: &drm::File<Self::File>,
        out: &FdInfo<'_>,
    );

    /// Imports a buffer as an object of the device. Without it, only buffers that DRM's own
    /// operations have exported from the same device can be imported.
    const PRIME_IMPORT: Option<PrimeImport<Self>> = None;
}

/// A function that creates an object for a buffer, or finds the one that the buffer was exported
/// from.
pub type PrimeImport<T> = fn(&drm::Device<T>, &DmaBuf) -> Result<ARef<<T as drm::Driver>::Object>>;

/// The copy of a device's table, and what it is a copy of.
struct Table {
    table: bindings::drm_driver,
    base: *const bindings::drm_driver,
}

/// Gives a device the table that [`DriverTable`] describes.
///
/// Once this has succeeded there is nothing to undo.
pub fn extend<T: DriverTable>(dev: &UnregisteredDevice<T>) -> Result {
    let raw = device::raw(dev);
    // SAFETY: An `UnregisteredDevice` cannot be sent to other threads and is not registered: there
    // is no other user of the `drm_device`.
    let base = unsafe { (*raw).driver };
    let table = Table {
        table: bindings::drm_driver {
            show_fdinfo: Some(show_fdinfo::<T>),
            gem_prime_import: match T::PRIME_IMPORT {
                Some(_) => Some(gem_prime_import::<T>),
                // SAFETY: A device always has a table, which does not change.
                None => unsafe { (*base).gem_prime_import },
            },
            fops: const { &Fops::<T>::FOPS },
            // SAFETY: A device always has a table, which does not change.
            driver_features: unsafe { (*base).driver_features } | T::FEATURES.0,
            // SAFETY: As above.
            ..unsafe { *base }
        },
        base,
    };
    let table = KBox::into_raw(KBox::new(table, GFP_KERNEL)?);

    // SAFETY: As above, there is no other user of the device. `table` is valid until `restore()`,
    // which is called below or when the device is released.
    unsafe { (*raw).driver = &raw const (*table).table };
    // SAFETY: The device is initialised. Whether this succeeds or not, `restore()` is called once,
    // with what it asks for.
    to_result(unsafe {
        bindings::__drmm_add_action_or_reset(
            raw,
            Some(restore),
            table.cast(),
            c"drm_driver".as_char_ptr(),
        )
    })
}

/// Gives a device back the table that it had before [`extend()`], and frees the copy.
///
/// # Safety
///
/// Only for DRM, as a managed action that `extend()` added.
unsafe extern "C" fn restore(dev: *mut bindings::drm_device, data: *mut c_void) {
    // SAFETY: `extend()` made it, and this is called once.
    let table = unsafe { KBox::from_raw(data.cast::<Table>()) };

    // Actions run in reverse order, so that tables go as they came.
    // SAFETY: The device is being released, or was not used yet: there is no other user.
    unsafe { (*dev).driver = table.base };
}

/// The file operations of a driver's devices.
struct Fops<T>(PhantomData<T>);

impl<T: DriverTable> Fops<T> {
    /// The operations of `kernel::drm` without global names of objects, fdinfo, and addresses for
    /// mappings of objects at which whole blocks of memory can be mapped. A file uses them until
    /// after its device may be gone, hence they are not part of the copy.
    const FOPS: bindings::file_operations = bindings::file_operations {
        owner: this_module::<T::OwnerModule>().as_ptr(),
        open: Some(bindings::drm_open),
        release: Some(bindings::drm_release),
        unlocked_ioctl: Some(ioctl),
        #[cfg(CONFIG_COMPAT)]
        compat_ioctl: Some(compat_ioctl),
        poll: Some(bindings::drm_poll),
        read: Some(bindings::drm_read),
        llseek: Some(bindings::noop_llseek),
        mmap: Some(bindings::drm_gem_mmap),
        get_unmapped_area: Some(bindings::rgt_drm_gem_get_unmapped_area),
        show_fdinfo: Some(bindings::drm_show_fdinfo),
        fop_flags: bindings::FOP_UNSIGNED_OFFSET,
        ..pin_init::zeroed()
    };
}

/// Returns whether a call is about global names of objects: small numbers by which any client of
/// the primary node opens an object of another, whatever the driver lets be exported.
fn is_about_names(cmd: c_uint) -> bool {
    const NAMES: [u32; 2] = [bindings::RGT_IOCTL_GEM_FLINK, bindings::RGT_IOCTL_GEM_OPEN];

    // As DRM does, which looks at the number alone.
    NAMES.iter().any(|name| _IOC_NR(*name) == _IOC_NR(cmd))
}

/// Calls `drm_ioctl()`. `EOPNOTSUPP` for names, as without GEM.
///
/// # Safety
///
/// Only as `file_operations::unlocked_ioctl` of a DRM device.
unsafe extern "C" fn ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
    if is_about_names(cmd) {
        // CAST: A negative error, as `drm_ioctl()` returns.
        return EOPNOTSUPP.to_errno() as c_long;
    }
    // SAFETY: By the safety requirements.
    unsafe { bindings::drm_ioctl(file, cmd, arg) }
}

/// Calls `drm_compat_ioctl()`. `EOPNOTSUPP` for names, as without GEM.
///
/// # Safety
///
/// Only as `file_operations::compat_ioctl` of a DRM device.
#[cfg(CONFIG_COMPAT)]
unsafe extern "C" fn compat_ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
    if is_about_names(cmd) {
        // CAST: A negative error, as `drm_ioctl()` returns.
        return EOPNOTSUPP.to_errno() as c_long;
    }
    // SAFETY: By the safety requirements.
    unsafe { bindings::drm_compat_ioctl(file, cmd, arg) }
}

/// Calls [`DriverTable::show_fdinfo()`].
///
/// # Safety
///
/// Only for DRM, as `drm_driver::show_fdinfo` of a device of `T`.
unsafe extern "C" fn show_fdinfo<T: DriverTable>(
    out: *mut bindings::drm_printer,
    file: *mut bindings::drm_file,
) {
    // SAFETY: DRM calls this with an open file of a device of `T`, which it keeps.
    let dev = unsafe { drm::Device::<T, drm::Ioctl>::from_raw((*(*file).minor).dev) };
    // SAFETY: As above.
    let file = unsafe { drm::File::<T::File>::from_raw(file) };
    // SAFETY: DRM calls this with a printer, which is valid during the call.
    let out = unsafe { FdInfo::from_raw(out) };

    if let Some(guard) = dev.registration_guard() {
        T::show_fdinfo(&guard, file, &out);
    }
}

/// Calls [`DriverTable::PRIME_IMPORT`].
///
/// # Safety
///
/// Only for DRM, as `drm_driver::gem_prime_import` of a device of `T`.
unsafe extern "C" fn gem_prime_import<T: DriverTable>(
    dev: *mut bindings::drm_device,
    buf: *mut bindings::dma_buf,
) -> *mut bindings::drm_gem_object {
    // SAFETY: DRM calls this with a device of `T` and a buffer, both valid during the call.
    let (dev, buf) = unsafe { (drm::Device::<T>::from_raw(dev), DmaBuf::from_raw(buf)) };

    match T::PRIME_IMPORT.map_or(Err(EINVAL), |import| import(dev, buf)) {
        // DRM gets the reference.
        Ok(object) => {
            let raw = object.as_raw();
            core::mem::forget(object);
            raw
        }
        Err(err) => err.to_ptr(),
    }
}
