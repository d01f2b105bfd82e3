// SPDX-License-Identifier: GPL-2.0 OR MIT

//! PCI identity.

/// Vendor ID: Red Hat, Inc. (QEMU).
pub const VENDOR: u16 = 0x1af4;
/// Device ID, from the range that QEMU reserves for experiments.
pub const DEVICE: u16 = 0x10f0;
/// Display controller, 3D controller.
pub const CLASS: u32 = 0x03_02_00;
/// BAR of the registers and of the MSI-X table.
pub const BAR_REGS: u32 = 0;
/// BAR of the CPU-visible window of VRAM; 64-bit, prefetchable.
pub const BAR_VRAM: u32 = 2;
/// Size of BAR 0.
pub const BAR_REGS_SIZE: usize = 0x1_0000;
/// Offset of the MSI-X table in BAR 0.
pub const MSIX_TABLE: u32 = 0xe000;
/// Offset of the MSI-X pending bits in BAR 0.
pub const MSIX_PBA: u32 = 0xf000;
/// Number of bits of a DMA address.
pub const DMA_BITS: u32 = 44;
