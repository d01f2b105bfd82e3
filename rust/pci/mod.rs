// SPDX-License-Identifier: GPL-2.0 OR MIT

//! PCI abstractions.

mod aperture;
mod irq;

pub(crate) use self::{
    aperture::{
        Aperture,
        ApertureMap, //
    },
    irq::MsixHandlers, //
};
