// SPDX-License-Identifier: GPL-2.0

//! Faults, and the queue of their records.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::abi::{fault, limits};

/// The kind of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A packet read it.
    Read,
    /// A packet wrote it.
    Write,
    /// The engine fetched packets from it.
    Fetch,
}

impl Access {
    fn bits(self) -> u32 {
        match self {
            Self::Read => fault::ACCESS_READ,
            Self::Write => fault::ACCESS_WRITE,
            Self::Fetch => fault::ACCESS_FETCH,
        }
    }
}

/// The reason why an access or a packet failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No valid entry on the way down the page tables.
    NotPresent,
    /// A write to a page that may only be read.
    NotWritable,
    /// A page-table entry with reserved bits.
    BadEntry,
    /// An address outside VRAM and the memory that the device may reach.
    BadAddress,
    /// A GPU virtual address that does not exist.
    OutOfRange,
    /// Not a packet, or not one that is allowed here.
    BadPacket,
    /// An operand that is not aligned as its packet asks.
    Misaligned,
    /// An atomic where the bus takes none.
    NoAtomics,
    /// A read of a bad page.
    Poisoned,
}

impl Reason {
    fn bits(self) -> u32 {
        match self {
            Self::NotPresent => fault::NOT_PRESENT,
            Self::NotWritable => fault::NOT_WRITABLE,
            Self::BadEntry => fault::BAD_ENTRY,
            Self::BadAddress => fault::BAD_ADDRESS,
            Self::OutOfRange => fault::OUT_OF_RANGE,
            Self::BadPacket => fault::BAD_PACKET,
            Self::Misaligned => fault::MISALIGNED,
            Self::NoAtomics => fault::NO_ATOMICS,
            Self::Poisoned => fault::POISONED,
        }
    }
}

/// A failed access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Address space.
    pub space: u32,
    /// GPU virtual address.
    pub address: u64,
    /// Kind of the access.
    pub access: Access,
    /// Reason of the failure.
    pub reason: Reason,
}

/// A fault as the registers show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Content of [`FAULT_INFO`](crate::abi::regs::FAULT_INFO).
    pub info: u32,
    /// GPU virtual address.
    pub address: u64,
    /// Tag of the indirect buffer, 0 for the ring.
    pub tag: u64,
}

impl Record {
    /// The record of a fault of engine number `engine`.
    pub fn new(engine: u32, fault: &Fault, tag: u64) -> Self {
        Self {
            info: engine << fault::ENGINE_SHIFT
                | fault.space << fault::AS_SHIFT
                | fault.access.bits() << fault::ACCESS_SHIFT
                | fault.reason.bits() << fault::REASON_SHIFT,
            address: fault.address,
            tag,
        }
    }
}

/// The queue of fault records, oldest first.
#[derive(Default)]
pub struct FaultQueue {
    records: Mutex<VecDeque<Record>>,
    space: Condvar,
}

impl FaultQueue {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a record once there is room. False if `cancelled` became true first; the code that
    /// makes it true calls [`wake`](Self::wake) afterwards.
    pub fn push(&self, record: Record, cancelled: impl Fn() -> bool) -> bool {
        let mut records = self.lock();
        while !cancelled() {
            if records.len() < limits::FAULT_QUEUE as usize {
                records.push_back(record);
                return true;
            }
            records = self
                .space
                .wait(records)
                .unwrap_or_else(PoisonError::into_inner);
        }
        false
    }

    /// Wakes engines that wait for room, so that they check whether they are cancelled.
    pub fn wake(&self) {
        // The lock orders this before or after a waiter's check.
        drop(self.lock());
        self.space.notify_all();
    }

    /// Number of records that wait.
    pub fn count(&self) -> u32 {
        self.lock().len() as u32
    }

    /// The oldest record; all zeros if there is none.
    pub fn oldest(&self) -> Record {
        self.lock().front().copied().unwrap_or_default()
    }

    /// Drops the oldest record.
    pub fn pop(&self) {
        self.lock().pop_front();
        self.space.notify_all();
    }

    /// Drops all records.
    pub fn clear(&self) {
        self.lock().clear();
        self.space.notify_all();
    }
}
