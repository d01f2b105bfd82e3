// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Atomic operations of a device on memory beyond itself.
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

use kernel::{
    bindings,
    device::Bound,
    error::to_result,
    pci,
    prelude::*, //
};

/// Enables a device's atomic operations of 64 bits on system memory.
///
/// `EINVAL` when it cannot: the root port does not complete them, a switch on the way does not route
/// them, or the device is no PCI Express endpoint. A reset of the device ends this, unless the
/// configuration is restored, as the PCI core does when it resets a device.
///
/// C: `pci_enable_atomic_ops_to_root()`.
pub fn enable_atomics_to_root(pdev: &pci::Device<Bound>) -> Result {
    // CAST: `pci::Device` is transparent over `struct pci_dev`.
    let raw = core::ptr::from_ref(pdev).cast_mut().cast();

    // SAFETY: The device is valid and bound.
    to_result(unsafe {
        bindings::pci_enable_atomic_ops_to_root(raw, bindings::PCI_EXP_DEVCAP2_ATOMIC_COMP64)
    })
}
