// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The registration of PCI drivers with callbacks that `kernel::pci` does not have.
//!
//! [`Adapter`] registers a driver as [`kernel::pci::Adapter`] does, with a `struct pci_error_handlers`
//! and a `struct dev_pm_ops`.
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

use core::{
    marker::PhantomData,
    mem::offset_of, //
};

use kernel::{
    bindings,
    device::{
        Bound,
        Core,
        CoreInternal, //
    },
    driver::{
        DriverLayout,
        RegistrationOps, //
    },
    pci,
    prelude::*,
    types::Opaque, //
};

use super::{
    error_handlers::{
        self,
        ErrorHandlers, //
    },
    runtime_pm::{
        self,
        RuntimePm, //
    },
    system_sleep::{
        self,
        SystemSleep, //
    }, //
};

/// The callbacks of a PCI driver that `kernel::pci` has none for.
pub trait Callbacks: ErrorHandlers + SystemSleep + RuntimePm {}

impl<T: ErrorHandlers + SystemSleep + RuntimePm> Callbacks for T {}

/// An adapter for the registration of PCI drivers that have [`Callbacks`].
pub struct Adapter<T>(PhantomData<T>);

// SAFETY: It has the layout of `pci::Adapter<T>`:
// - `bindings::pci_driver` is a C type declared as `repr(C)`.
// - `T::Data` is the type of the driver's device private data.
// - `DEVICE_DRIVER_OFFSET` is the offset of the `struct device_driver` in it.
unsafe impl<T: Callbacks> DriverLayout for Adapter<T> {
    type DriverType = bindings::pci_driver;
    type DriverData<'bound> = T::Data<'bound>;
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(Self::DriverType, driver);
}

// SAFETY: `pci::Adapter` registers and unregisters the driver.
unsafe impl<T: Callbacks> RegistrationOps for Adapter<T> {
    unsafe fn register(
        pdrv: &Opaque<Self::DriverType>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        // SAFETY: It's safe to set the fields of `struct pci_driver` on initialization.
        unsafe {
            (*pdrv.get()).err_handler = const { &Self::HANDLERS };
            (*pdrv.get()).driver.pm = const { &Self::PM_OPS };
        }

        // SAFETY: By the safety requirements.
        unsafe { <pci::Adapter<T> as RegistrationOps>::register(pdrv, name, module) }
    }

    unsafe fn unregister(pdrv: &Opaque<Self::DriverType>) {
        // SAFETY: By the safety requirements.
        unsafe { <pci::Adapter<T> as RegistrationOps>::unregister(pdrv) }
    }
}

impl<T: Callbacks> Adapter<T> {
    /// The callbacks for resets and errors.
    pub(crate) const HANDLERS: bindings::pci_error_handlers = error_handlers::handlers::<T>();
    /// The callbacks for power management.
    pub(crate) const PM_OPS: bindings::dev_pm_ops =
        runtime_pm::add_pm_ops::<T>(system_sleep::pm_ops::<T>());
}

/// Returns a device and its driver's data. [`None`] without data.
///
/// # Safety
///
/// `pdev` must be a valid device whose driver is `T`, and nothing may bind or unbind it during `'a`.
unsafe fn parts<'a, T: pci::Driver>(
    pdev: *mut bindings::pci_dev,
) -> Option<(&'a pci::Device<CoreInternal<'a>>, Pin<&'a T::Data<'a>>)> {
    // SAFETY: By the safety requirements.
    if unsafe { (*pdev).dev.driver_data }.is_null() {
        return None;
    }
    // SAFETY: As above. `pci::Device` is transparent over `struct pci_dev`.
    let pdev = unsafe { &*pdev.cast::<pci::Device<CoreInternal<'a>>>() };

    // SAFETY: The device has data, which the probe of `T` has set and which is dropped when the
    // device is unbound.
    let data = unsafe { pdev.as_ref().drvdata_borrow::<T::Data<'a>>() };
    Some((pdev, data))
}

/// Returns a device that is bound, and its driver's data. [`None`] without data.
///
/// # Safety
///
/// As for [`parts()`].
pub(super) unsafe fn bound_data<'a, T: pci::Driver>(
    pdev: *mut bindings::pci_dev,
) -> Option<(&'a pci::Device<Bound>, Pin<&'a T::Data<'a>>)> {
    // SAFETY: By the safety requirements.
    let (pdev, data) = unsafe { parts::<T>(pdev) }?;
    Some((pdev, data))
}

/// Calls `f` with a device and its driver's data. [`None`] without data.
///
/// # Safety
///
/// `pdev` must be a valid device whose lock is held, which is what the context of `f` asks for, and
/// whose driver is `T`.
pub(super) unsafe fn with_data<T: pci::Driver, R>(
    pdev: *mut bindings::pci_dev,
    f: impl FnOnce(&pci::Device<Core<'_>>, Pin<&T::Data<'_>>) -> R,
) -> Option<R> {
    // SAFETY: By the safety requirements nothing binds or unbinds it: that takes the lock.
    let (pdev, data) = unsafe { parts::<T>(pdev) }?;
    Some(f(pdev, data))
}

/// Declares a kernel module that exposes a single PCI driver, which has [`Callbacks`].
macro_rules! module_pci_driver {
    ($($f:tt)*) => {
        kernel::module_driver!(<T>, $crate::rust::pci::Adapter<T>, { $($f)* });
    };
}
pub(crate) use module_pci_driver;
