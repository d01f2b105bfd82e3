// SPDX-License-Identifier: GPL-2.0 OR MIT

//! PCI abstractions.

mod aperture;
mod atomic;
mod irq;
mod peer;

pub(crate) use self::{
    aperture::{
        Aperture,
        ApertureMap, //
    },
    atomic::enable_atomics_to_root,
    irq::MsixHandlers,
    peer::init_peer_to_peer, //
};
