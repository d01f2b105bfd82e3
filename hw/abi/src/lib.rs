// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The programming interface of softgpu, a virtual discrete GPU, in numbers.
//!
//! The one source of every register offset, bit, packet and page-table format. All quantities are
//! little endian; sizes and addresses are in bytes unless a name says otherwise.
//!
//! ```
//! use softgpu_abi::packet;
//!
//! // Fills 4 KiB from address 0x1000 on with zeros.
//! let fill = [
//!     packet::header(packet::FILL, 0, packet::len::FILL),
//!     0x1000, 0, // Destination.
//!     0x1000, 0, // Bytes.
//!     0, // Pattern.
//! ];
//! assert_eq!(fill.len(), packet::len::FILL as usize);
//! ```

// The driver is one crate: to it, this is a module.
#![no_std]

pub mod checksum;
pub mod class;
pub mod cost;
pub mod fault;
pub mod feature;
pub mod limits;
pub mod packet;
pub mod pci;
pub mod pte;
pub mod regs;
