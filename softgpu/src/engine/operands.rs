// SPDX-License-Identifier: GPL-2.0

//! The operands of packets. The error of a check is the fault of an operand, or none if the packet
//! as a whole is bad.

use crate::fault::{Access, Fault, Reason};

/// The operands, taken in order. A packet has as many as its length says.
pub(super) struct Operands<'a> {
    bytes: &'a [u8],
    space: u32,
}

impl<'a> Operands<'a> {
    /// Those of a packet that runs in `space`.
    pub(super) fn new(bytes: &'a [u8], space: u32) -> Self {
        Self { bytes, space }
    }

    /// Returns the operands that have not been taken.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// 32 bits.
    pub(super) fn dword(&mut self) -> u32 {
        match self.bytes.split_first_chunk() {
            Some((first, rest)) => {
                self.bytes = rest;
                u32::from_le_bytes(*first)
            }
            None => 0,
        }
    }

    /// 64 bits.
    pub(super) fn qword(&mut self) -> u64 {
        let low = self.dword();
        u64::from(self.dword()) << 32 | u64::from(low)
    }

    /// The bytes from one row of pixels to the next.
    pub(super) fn pitch(&mut self) -> Result<u32, Option<Fault>> {
        let pitch = self.dword();
        require(pitch.is_multiple_of(4))?;
        Ok(pitch)
    }

    /// An address, for an `access` that wants it aligned.
    pub(super) fn address(&mut self, alignment: u64, access: Access) -> Result<u64, Option<Fault>> {
        let address = self.qword();
        check_alignment(self.space, address, alignment, access)?;
        Ok(address)
    }
}

/// Checks that an address is a multiple of `alignment`.
pub(super) fn check_alignment(
    space: u32,
    address: u64,
    alignment: u64,
    access: Access,
) -> Result<(), Option<Fault>> {
    if address.is_multiple_of(alignment) {
        return Ok(());
    }
    Err(Some(Fault {
        space,
        address,
        access,
        reason: Reason::Misaligned,
    }))
}

/// A field of a packet; without `valid`, the packet is a bad one.
pub(super) fn require(valid: bool) -> Result<(), Option<Fault>> {
    if valid { Ok(()) } else { Err(None) }
}
