// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The checksum of [`packet::CHECKSUM`]: the CRC of [`POLYNOMIAL`] over the bytes in the order of
//! their addresses. Bits are taken from the least significant one up, the register is 0 at first
//! and is the result, not inverted, in bits 31:0. Zeros have the checksum 0. It is `crc32c()` of
//! Linux with a first argument of 0; iSCSI (RFC 3720) inverts the register before and after.
//!
//! [`packet::CHECKSUM`]: super::packet::CHECKSUM

/// Castagnoli's polynomial of degree 32, without its highest term; bit 31 is the term of degree 0.
pub const POLYNOMIAL: u32 = 0x82f6_3b78;
