// SPDX-License-Identifier: GPL-2.0

//! The memory behind a mapping.

use kernel::dma::DmaAddress;

use crate::hw::abi::pte::{
    SCRATCHPAD,
    SYSTEM, //
};

/// The memory that a range of addresses is mapped to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backing {
    /// VRAM from this offset.
    Vram(u64),
    /// The scratchpad from this offset.
    Scratchpad(u64),
    /// System memory from this DMA address.
    System(DmaAddress),
}

impl Backing {
    /// Returns the memory `bytes` further on.
    pub(crate) fn plus(self, bytes: u64) -> Self {
        match self {
            Self::Vram(offset) => Self::Vram(offset + bytes),
            Self::Scratchpad(offset) => Self::Scratchpad(offset + bytes),
            Self::System(address) => Self::System(address + bytes),
        }
    }

    /// Returns the address and the aperture bits of a page-table entry.
    pub(super) fn entry(self) -> (u64, u64) {
        match self {
            Self::Vram(offset) => (offset, 0),
            Self::Scratchpad(offset) => (offset, SCRATCHPAD),
            Self::System(address) => (address, SYSTEM),
        }
    }
}
