// SPDX-License-Identifier: GPL-2.0

//! A virtual discrete GPU: a PCI device for QEMU, over the vfio-user protocol.
//!
//! [`host`] has the GPUs of the process and the control socket. An [`endpoint`] accepts the clients
//! of a GPU, [`vfio_user`] is the protocol, and [`server`] the PCI function ([`config_space`]).
//! [`device`] is the GPU: its registers, [`memory`] as its engines reach it through the [`mmu`],
//! the [`engine`]s, their [`cost`] model, [`fault`]s and interrupts ([`irq`]). `docs/hardware.md`
//! is the programmer's manual.

pub mod bad_pages;
mod checksum;
pub mod command_line;
pub mod config_space;
mod control;
pub mod cost;
pub mod device;
pub mod dma;
pub mod endpoint;
pub mod engine;
pub mod fault;
pub mod garbling;
pub mod host;
pub mod invalidation;
pub mod irq;
mod log_limit;
pub mod memory;
pub mod mmu;
mod msix_table;
pub mod panic;
pub mod peers;
mod poison;
mod registers;
pub mod scratchpad;
pub mod server;
pub mod size;
mod socket;
pub mod vfio_user;
pub mod vram;

pub use softgpu_abi as abi;
