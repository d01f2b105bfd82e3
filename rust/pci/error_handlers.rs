// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A driver's part in resets of its devices and in the recovery from errors of the bus.
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

use kernel::{
    bindings,
    device::Core,
    error::to_result,
    pci,
    prelude::*, //
};

use super::adapter::with_data;

/// The state of the channel to a device: `pci_channel_state_t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChannelState {
    /// It works.
    Normal,
    /// It is blocked: reads give all ones, writes are dropped.
    Frozen,
    /// The device is dead.
    PermanentFailure,
}

/// The result of an error handler: `pci_ers_result_t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorResult {
    /// It can recover without a reset of the slot.
    CanRecover,
    /// It needs a reset of the slot.
    NeedReset,
    /// It is lost.
    Disconnect,
    /// It works again.
    Recovered,
}

impl ErrorResult {
    const fn as_raw(self) -> bindings::pci_ers_result_t {
        match self {
            Self::CanRecover => bindings::pci_ers_result_PCI_ERS_RESULT_CAN_RECOVER,
            Self::NeedReset => bindings::pci_ers_result_PCI_ERS_RESULT_NEED_RESET,
            Self::Disconnect => bindings::pci_ers_result_PCI_ERS_RESULT_DISCONNECT,
            Self::Recovered => bindings::pci_ers_result_PCI_ERS_RESULT_RECOVERED,
        }
    }
}

/// A PCI driver that takes part in resets and recovery.
///
/// All of this is called in process context with the lock of the device held, so that the device is
/// neither probed nor unbound meanwhile. Between two calls it may be unbound, except between
/// [`Self::reset_prepare`] and [`Self::reset_done`].
///
/// C: `struct pci_error_handlers`; see `Documentation/PCI/pci-error-recovery.rst`.
pub trait ErrorHandlers: pci::Driver {
    /// Prepares for a reset of the device, by the bus or by user space: stops using the device.
    ///
    /// Its configuration is saved after this.
    fn reset_prepare(pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>);

    /// Handles the end of a reset, which may have failed. The configuration is that of before.
    fn reset_done(pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>);

    /// Handles an error of the bus, and says what helps.
    fn error_detected(
        pdev: &pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'_>>,
        state: ChannelState,
    ) -> ErrorResult;

    /// Handles a reset of the slot, after which the device has lost its configuration: see
    /// [`restore_state()`].
    fn slot_reset(pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>) -> ErrorResult;

    /// Uses the device again.
    fn resume(pdev: &pci::Device<Core<'_>>, data: Pin<&Self::Data<'_>>);
}

/// Saves the configuration of a device, for [`restore_state()`].
///
/// C: `pci_save_state()`.
pub fn save_state(pdev: &pci::Device<Core<'_>>) -> Result {
    // SAFETY: The device is valid, and its lock is held.
    to_result(unsafe { bindings::pci_save_state(raw(pdev)) })
}

/// Restores the configuration of a device that was saved last.
///
/// C: `pci_restore_state()`.
pub fn restore_state(pdev: &pci::Device<Core<'_>>) {
    // SAFETY: The device is valid, and its lock is held.
    unsafe { bindings::pci_restore_state(raw(pdev)) };
}

fn raw(pdev: &pci::Device<Core<'_>>) -> *mut bindings::pci_dev {
    // CAST: `pci::Device` is transparent over `struct pci_dev`.
    core::ptr::from_ref(pdev).cast_mut().cast()
}

/// Returns the table of a driver.
pub(super) const fn handlers<T: ErrorHandlers>() -> bindings::pci_error_handlers {
    bindings::pci_error_handlers {
        error_detected: Some(error_detected::<T>),
        slot_reset: Some(slot_reset::<T>),
        reset_prepare: Some(reset_prepare::<T>),
        reset_done: Some(reset_done::<T>),
        resume: Some(resume::<T>),
        ..pin_init::zeroed()
    }
}

/// Calls [`ErrorHandlers::error_detected`].
///
/// # Safety
///
/// Only for the PCI core, as `pci_error_handlers::error_detected` of the driver `T`.
unsafe extern "C" fn error_detected<T: ErrorHandlers>(
    pdev: *mut bindings::pci_dev,
    state: bindings::pci_channel_state_t,
) -> bindings::pci_ers_result_t {
    let state = match state {
        bindings::pci_channel_io_normal => ChannelState::Normal,
        bindings::pci_channel_io_frozen => ChannelState::Frozen,
        _ => ChannelState::PermanentFailure,
    };

    // SAFETY: The PCI core calls this with a device of the driver, whose lock it holds.
    let result =
        unsafe { with_data::<T, _>(pdev, |pdev, data| T::error_detected(pdev, data, state)) };
    result.map_or(
        bindings::pci_ers_result_PCI_ERS_RESULT_NONE,
        ErrorResult::as_raw,
    )
}

/// Calls [`ErrorHandlers::slot_reset`].
///
/// # Safety
///
/// Only for the PCI core, as `pci_error_handlers::slot_reset` of the driver `T`.
unsafe extern "C" fn slot_reset<T: ErrorHandlers>(
    pdev: *mut bindings::pci_dev,
) -> bindings::pci_ers_result_t {
    // SAFETY: The PCI core calls this with a device of the driver, whose lock it holds.
    let result = unsafe { with_data::<T, _>(pdev, T::slot_reset) };
    result.map_or(
        bindings::pci_ers_result_PCI_ERS_RESULT_NONE,
        ErrorResult::as_raw,
    )
}

/// Calls [`ErrorHandlers::reset_prepare`].
///
/// # Safety
///
/// Only for the PCI core, as `pci_error_handlers::reset_prepare` of the driver `T`.
unsafe extern "C" fn reset_prepare<T: ErrorHandlers>(pdev: *mut bindings::pci_dev) {
    // SAFETY: The PCI core calls this with a device of the driver, whose lock it holds.
    unsafe { with_data::<T, _>(pdev, T::reset_prepare) };
}

/// Calls [`ErrorHandlers::reset_done`].
///
/// # Safety
///
/// Only for the PCI core, as `pci_error_handlers::reset_done` of the driver `T`.
unsafe extern "C" fn reset_done<T: ErrorHandlers>(pdev: *mut bindings::pci_dev) {
    // SAFETY: The PCI core calls this with a device of the driver, whose lock it holds.
    unsafe { with_data::<T, _>(pdev, T::reset_done) };
}

/// Calls [`ErrorHandlers::resume`].
///
/// # Safety
///
/// Only for the PCI core, as `pci_error_handlers::resume` of the driver `T`.
unsafe extern "C" fn resume<T: ErrorHandlers>(pdev: *mut bindings::pci_dev) {
    // SAFETY: The PCI core calls this with a device of the driver, whose lock it holds.
    unsafe { with_data::<T, _>(pdev, T::resume) };
}
