// SPDX-License-Identifier: GPL-2.0

//! Accessors of BOs.

/// An accessor of a BO, which decides on the places where it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accessor {
    /// A job of the GPU.
    Gpu,
    /// A page fault of the CPU.
    Cpu,
    /// Another device with peer-to-peer access to the GPU's BARs.
    Peer,
    /// Another device that reaches system pages only.
    NonPeer,
}
