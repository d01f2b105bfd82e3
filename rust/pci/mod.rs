// SPDX-License-Identifier: GPL-2.0 OR MIT

//! PCI abstractions.

mod aperture;
mod irq;
mod peer;

pub(crate) use self::{
    aperture::{
        Aperture,
        ApertureMap, //
    },
    irq::MsixHandlers,
    peer::init_peer_to_peer, //
};
