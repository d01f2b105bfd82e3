// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The checksum of [`packet::CHECKSUM`]: for each little-endian dword in order, the 64-bit state,
//! 0 at first, is rotated left by 5, exclusive-ored with the dword and multiplied by
//! [`MULTIPLIER`], modulo 2^64.
//!
//! [`packet::CHECKSUM`]: super::packet::CHECKSUM

/// An odd number with well-mixed bits.
pub const MULTIPLIER: u64 = 0x517c_c1b7_2722_0a95;

/// Takes one dword into the state.
pub const fn step(state: u64, dword: u32) -> u64 {
    (state.rotate_left(5) ^ dword as u64).wrapping_mul(MULTIPLIER)
}
