// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A driver's part in runtime power management.
//!
//! C header: [`include/linux/pm_runtime.h`](srctree/include/linux/pm_runtime.h)

use kernel::{
    bindings,
    container_of,
    device::{
        Bound,
        Core,
        Device, //
    },
    pci,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        }, //
    },
    time::Msecs, //
};

use super::adapter::{
    bound_data,
    with_data, //
};
use crate::rust::{
    bindings as rgt,
    pm::runtime::Suspending, //
};

/// A PCI driver whose devices sleep while nobody needs them, in D3.
///
/// Both are called in process context, one at a time.
///
/// C: `struct dev_pm_ops`, `runtime_suspend` and `runtime_resume`.
pub trait RuntimePm: pci::Driver {
    /// Prepares a device, which nobody keeps awake, for the loss of its state: saves what it needs of
    /// that, and stops using it. Called with the lock of the device held.
    ///
    /// Must not wait for a lock that is held by somebody who waits for the device to be resumed.
    ///
    /// With an error the device stays awake, and it is tried again a little later than after the
    /// autosuspend delay.
    fn runtime_suspend(
        pdev: &pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'_>>,
        suspending: &Suspending<'_>,
    ) -> Result;

    /// Uses a device again, which has its configuration back and has lost all other state.
    ///
    /// Called for those who need it, and may hold locks, or for the core that is to unbind it. One that
    /// does not come back is dead, which is no error.
    fn runtime_resume(pdev: &pci::Device<Bound>, data: Pin<&Self::Data<'_>>);
}

/// Fills in the callbacks of a driver.
pub(super) const fn add_pm_ops<T: RuntimePm>(ops: bindings::dev_pm_ops) -> bindings::dev_pm_ops {
    bindings::dev_pm_ops {
        runtime_suspend: Some(runtime_suspend::<T>),
        runtime_resume: Some(runtime_resume::<T>),
        ..ops
    }
}

/// Calls [`RuntimePm::runtime_suspend`].
///
/// # Safety
///
/// Only for the PM core, as `dev_pm_ops::runtime_suspend` of the driver `T`.
unsafe extern "C" fn runtime_suspend<T: RuntimePm>(dev: *mut bindings::device) -> c_int {
    // The core does not hold the lock of the device, and those who do may wait for this call to end,
    // to unbind the device for example. A probe holds it until the device has its data.
    // SAFETY: The PM core calls this with a valid device.
    if !unsafe { rgt::rgt_device_trylock(dev) } {
        return later(dev);
    }
    // SAFETY: The device is that of a `struct pci_dev`. The lock is held, and PCI calls this only as
    // long as its driver is `T`. `Device` is transparent over `struct device`.
    let done = unsafe {
        let pdev = container_of!(dev, bindings::pci_dev, dev);
        with_data::<T, _>(pdev, |pdev, data| {
            rgt::rgt_pm_runtime_begin_callback();
            let done = T::runtime_suspend(pdev, data, &Suspending::new(&*dev.cast::<Device>()));
            rgt::rgt_pm_runtime_end_callback();
            done
        })
    };
    // SAFETY: Locked above.
    unsafe { rgt::rgt_device_unlock(dev) };

    match done {
        Some(Ok(())) => 0,
        _ => later(dev),
    }
}

/// Has the core try again later.
fn later(dev: *mut bindings::device) -> c_int {
    // SAFETY: The callers have a valid device.
    unsafe { rgt::rgt_pm_runtime_retry_suspend(dev) };
    EBUSY.to_errno()
}

/// Calls [`RuntimePm::runtime_resume`].
///
/// # Safety
///
/// Only for the PM core, as `dev_pm_ops::runtime_resume` of the driver `T`.
unsafe extern "C" fn runtime_resume<T: RuntimePm>(dev: *mut bindings::device) -> c_int {
    // SAFETY: The PM core calls this with a valid device, which is that of a `struct pci_dev`, and
    // which `runtime_suspend()` has suspended: it has data. Who unbinds it resumes it first, and keeps
    // it so; if that fails, `Autosuspend::disable()` sees to it that nobody resumes it any more.
    unsafe {
        let pdev = container_of!(dev, bindings::pci_dev, dev);
        rgt::rgt_pm_runtime_begin_callback();
        if let Some((pdev, data)) = bound_data::<T>(pdev) {
            T::runtime_resume(pdev, data);
        }
        rgt::rgt_pm_runtime_end_callback();
    }
    0
}

/// The runtime power management of a bound device, once user space allows it (`power/control`).
///
/// The device stays awake from [`Self::disable()`] until this is dropped.
pub struct Autosuspend {
    dev: ARef<Device>,
    enabled: AtomicFlag,
    /// The bus could not resume the device, which stays suspended until the driver is gone.
    stuck: AtomicFlag,
}

impl Autosuspend {
    /// Has a device suspended when nobody has used it for `delay`, at the end of its probe.
    ///
    /// C: `pm_runtime_use_autosuspend()`, and `pm_runtime_put_autosuspend()` of the reference that the
    /// PCI core has given to the probe.
    pub fn enable(pdev: &pci::Device<Core<'_>>, delay: Msecs) -> Self {
        let dev: &Device = pdev.as_ref();
        // SAFETY: The device is valid. The PCI core counts on the driver to put its reference.
        unsafe { rgt::rgt_pm_runtime_enable_autosuspend(raw(dev), delay) };
        Self {
            dev: dev.into(),
            enabled: AtomicFlag::new(true),
            stuck: AtomicFlag::new(false),
        }
    }

    /// Keeps the device awake, which is being unbound: the PCI core has resumed it.
    pub fn disable(&self, _pdev: &pci::Device<Core<'_>>) {
        self.keep_awake();
    }

    fn keep_awake(&self) {
        if self.enabled.load(Relaxed) {
            self.enabled.store(false, Relaxed);
            // SAFETY: The device is valid.
            let stuck = unsafe { rgt::rgt_pm_runtime_disable_autosuspend(raw(&self.dev)) };
            self.stuck.store(stuck, Relaxed);
        }
    }
}

impl Drop for Autosuspend {
    fn drop(&mut self) {
        // In a probe that fails.
        self.keep_awake();
        // SAFETY: The device is valid, and has the reference of `keep_awake()`, which has disabled
        // runtime PM if this is set.
        unsafe {
            if self.stuck.load(Relaxed) {
                rgt::rgt_pm_runtime_enable(raw(&self.dev));
            }
            rgt::rgt_pm_runtime_put(raw(&self.dev));
        }
    }
}

fn raw(dev: &Device) -> *mut bindings::device {
    // CAST: `Device` is transparent over `struct device`.
    core::ptr::from_ref(dev).cast_mut().cast()
}
