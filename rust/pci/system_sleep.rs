// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A driver's part in suspend, hibernation and resume of the system.
//!
//! C header: [`include/linux/pm.h`](srctree/include/linux/pm.h)

use kernel::{
    bindings,
    container_of,
    device::Core,
    pci,
    prelude::*, //
};

use super::adapter::with_data;

/// A PCI driver whose devices sleep with the system.
///
/// All of this is called in process context with the lock of the device held, so that the device is
/// neither probed nor unbound meanwhile, and with the tasks of user space frozen.
///
/// C: `struct dev_pm_ops`, as `DEFINE_SIMPLE_DEV_PM_OPS()` fills it, and `prepare`.
pub trait SystemSleep: pci::Driver {
    /// Does what needs all devices of the system in use, such as those that swap space is on, or an
    /// allocation that may wait for I/O.
    ///
    /// With an error the system does not go to sleep. Others may prevent that, too: there is not
    /// always a [`Self::suspend()`] after it, and nothing undoes this.
    fn prepare(pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>) -> Result;

    /// Prepares a device for the loss of its state: saves what it needs of that, and stops using it.
    ///
    /// With an error the system does not go to sleep, and the device is used as before.
    fn suspend(pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>) -> Result;

    /// Uses a device again, which has its configuration back and may have lost all other state.
    fn resume(pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>) -> Result;
}

/// Returns the table of a driver.
pub(super) const fn pm_ops<T: SystemSleep>() -> bindings::dev_pm_ops {
    bindings::dev_pm_ops {
        prepare: Some(prepare::<T>),
        suspend: Some(suspend::<T>),
        resume: Some(resume::<T>),
        freeze: Some(suspend::<T>),
        thaw: Some(resume::<T>),
        poweroff: Some(suspend::<T>),
        restore: Some(resume::<T>),
        ..pin_init::zeroed()
    }
}

/// Calls [`SystemSleep::prepare`].
///
/// # Safety
///
/// Only for the PM core, in `dev_pm_ops` of the driver `T`.
unsafe extern "C" fn prepare<T: SystemSleep>(dev: *mut bindings::device) -> c_int {
    // SAFETY: The PM core calls this with a device of the driver, whose lock it holds.
    unsafe { call::<T>(dev, T::prepare) }
}

/// Calls [`SystemSleep::suspend`].
///
/// # Safety
///
/// Only for the PM core, in `dev_pm_ops` of the driver `T`.
unsafe extern "C" fn suspend<T: SystemSleep>(dev: *mut bindings::device) -> c_int {
    // SAFETY: The PM core calls this with a device of the driver, whose lock it holds.
    unsafe { call::<T>(dev, T::suspend) }
}

/// Calls [`SystemSleep::resume`].
///
/// # Safety
///
/// Only for the PM core, in `dev_pm_ops` of the driver `T`.
unsafe extern "C" fn resume<T: SystemSleep>(dev: *mut bindings::device) -> c_int {
    // SAFETY: The PM core calls this with a device of the driver, whose lock it holds.
    unsafe { call::<T>(dev, T::resume) }
}

/// Calls `f` with a device and its driver's data, if it has any.
///
/// # Safety
///
/// `dev` must be a valid device of the PCI driver `T`, with its lock held.
unsafe fn call<T: SystemSleep>(
    dev: *mut bindings::device,
    f: fn(&pci::Device<Core<'_>>, Pin<&T::Data<'_>>) -> Result,
) -> c_int {
    // SAFETY: By the safety requirements the device is that of a `struct pci_dev`.
    let pdev = unsafe { container_of!(dev, bindings::pci_dev, dev) };

    // SAFETY: By the safety requirements.
    match unsafe { with_data::<T, _>(pdev, f) } {
        Some(Err(err)) => err.to_errno(),
        _ => 0,
    }
}
