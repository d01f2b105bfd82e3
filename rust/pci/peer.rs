// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Access of other devices to a device's BARs.
//!
//! C header: [`include/linux/pci-p2pdma.h`](srctree/include/linux/pci-p2pdma.h)

use kernel::{
    device::{
        Bound,
        Device, //
    },
    error::to_result,
    pci,
    prelude::*, //
};

use crate::rust::bindings;

/// Allows other devices to access the BARs of a device, where the machine allows it, as long as it
/// is bound. Returns whether this kernel knows how to.
///
/// C: `pcim_p2pdma_init()`.
pub fn init_peer_to_peer(pdev: &pci::Device<Bound>) -> Result<bool> {
    let dev: &Device<Bound> = pdev.as_ref();
    // CAST: `Device` is transparent over `struct device`.
    let dev = core::ptr::from_ref(dev).cast_mut().cast();

    // SAFETY: The device is valid and bound.
    match to_result(unsafe { bindings::rgt_p2pdma_init(dev) }) {
        Ok(()) => Ok(true),
        Err(EOPNOTSUPP) => Ok(false),
        Err(err) => Err(err),
    }
}
