// SPDX-License-Identifier: GPL-2.0

//! Drives the GPU as a vfio-user client does, without QEMU.

mod command;
mod control;
mod cost;
mod coverage;
mod dma;
mod drawing;
mod engines;
mod faults;
mod fuzz;
mod garbling;
mod gpu;
mod interrupts;
mod mmu;
mod packets;
mod panic;
mod pci;
mod poison;
mod process;
mod protocol;
mod protocol_fuzz;
mod raw;
mod registers;
mod reset;
mod scratchpad;
mod stream;
