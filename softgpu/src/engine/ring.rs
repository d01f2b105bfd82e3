// SPDX-License-Identifier: GPL-2.0

//! The registers of a ring.

use crate::abi::limits;
use crate::memory::in_range;

/// A register that the driver sets before it enables the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingRegister {
    /// Bytes of the ring.
    Size,
    /// Low half of its address.
    BaseLow,
    /// High half of its address.
    BaseHigh,
    /// Low half of the address for the head.
    WritebackLow,
    /// High half of the address for the head.
    WritebackHigh,
}

/// The registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// Bytes.
    pub size: u32,
    /// Address in space 0.
    pub base: u64,
    /// Offset of the next packet.
    pub head: u32,
    /// Offset of the end of the packets.
    pub tail: u32,
    /// Address in space 0 for the head; 0 for none.
    pub writeback: u64,
}

impl Ring {
    pub(super) fn set(&mut self, register: RingRegister, value: u32) {
        match register {
            RingRegister::Size => self.size = value,
            RingRegister::BaseLow => set_low(&mut self.base, value),
            RingRegister::BaseHigh => set_high(&mut self.base, value),
            RingRegister::WritebackLow => set_low(&mut self.writeback, value),
            RingRegister::WritebackHigh => set_high(&mut self.writeback, value),
        }
    }

    /// Whether an engine can run on it.
    pub(super) fn is_valid(&self) -> bool {
        self.size.is_power_of_two()
            && (limits::RING_MIN..=limits::RING_MAX).contains(&self.size)
            && self.base.is_multiple_of(limits::PAGE_SIZE)
            && in_range(self.base, self.size.into())
            && self.head < self.size
            && self.tail < self.size
            && self.writeback.is_multiple_of(8)
            && in_range(self.writeback, 8)
    }
}

fn set_low(register: &mut u64, value: u32) {
    *register = *register & !u64::from(u32::MAX) | u64::from(value);
}

fn set_high(register: &mut u64, value: u32) {
    *register = *register & u64::from(u32::MAX) | u64::from(value) << 32;
}
