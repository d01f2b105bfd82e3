// SPDX-License-Identifier: GPL-2.0 OR MIT

//! PCI abstractions.

mod adapter;
mod aperture;
mod atomic;
mod error_handlers;
mod irq;
mod peer;
mod runtime_pm;
mod system_sleep;

pub(crate) use self::{
    adapter::{
        module_pci_driver,
        Adapter, //
    },
    aperture::{
        Aperture,
        ApertureMap, //
    },
    atomic::enable_atomics_to_root,
    error_handlers::{
        restore_state,
        save_state,
        ChannelState,
        ErrorHandlers,
        ErrorResult, //
    },
    irq::MsixHandlers,
    peer::init_peer_to_peer,
    runtime_pm::{
        Autosuspend,
        RuntimePm, //
    },
    system_sleep::SystemSleep, //
};
