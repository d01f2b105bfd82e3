// SPDX-License-Identifier: GPL-2.0 OR MIT

//! PCI abstractions.

mod aperture;
mod atomic;
mod error_handlers;
mod irq;
mod peer;

pub(crate) use self::{
    aperture::{
        Aperture,
        ApertureMap, //
    },
    atomic::enable_atomics_to_root,
    error_handlers::{
        module_pci_driver,
        restore_state,
        save_state,
        Adapter,
        ChannelState,
        ErrorHandlers,
        ErrorResult, //
    },
    irq::MsixHandlers,
    peer::init_peer_to_peer, //
};
