// SPDX-License-Identifier: GPL-2.0

//! A virtual discrete GPU: a PCI device for QEMU, over the vfio-user protocol.
//!
//! [`host`] has the GPUs of the process and the control socket. [`server`] speaks the protocol and owns the PCI side ([`config_space`]); [`device`] is the GPU:
//! its registers, [`memory`] as its engines reach it through the [`mmu`], the [`engine`]s, what
//! they [`cost`], their [`fault`]s and interrupts ([`irq`]). `docs/hardware.md` is the programmer's manual.

pub mod command_line;
pub mod config_space;
mod control;
pub mod cost;
pub mod device;
pub mod dma;
pub mod engine;
pub mod fault;
pub mod host;
pub mod irq;
pub mod memory;
pub mod mmu;
mod msix_table;
mod noise;
pub mod peers;
mod registers;
pub mod scratchpad;
pub mod server;
pub mod size;
mod socket;
pub mod vram;

pub use softgpu_abi as abi;
