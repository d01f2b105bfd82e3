// SPDX-License-Identifier: GPL-2.0

//! The thread of an engine.

use std::cell::RefCell;
use std::sync::PoisonError;

use crate::abi::regs;

use super::packet::Level;
use super::ring::Ring;
use super::source::Source;
use super::transfer::Transfer;
use super::{Engine, Stop};

/// The address space of rings.
const KERNEL: u32 = 0;

impl Engine {
    /// Runs packets until the engine is shut down.
    pub(super) fn work(&self) {
        let buffer = RefCell::default();
        while let Some(ring) = self.next() {
            let result = self.run_packet(&ring, &buffer);
            if let Err(Stop::Fault(fault)) = result {
                self.lock().halted = true;
                // An interrupted report is a reset, which forgets the fault.
                let _ = self.report(&fault, 0);
            }
            let mut state = self.lock();
            state.running = false;
            // A notification is a system call, which would cost more than a small packet.
            if state.waiters != 0 {
                self.idle.notify_all();
            }
        }
    }

    /// Waits for a packet; none when the engine is shut down.
    fn next(&self) -> Option<Ring> {
        let mut state = self.lock();
        loop {
            if state.exit {
                return None;
            }
            if state.has_work() {
                state.running = true;
                return Some(state.ring);
            }
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Runs the packet at the head of `ring` and moves the head past it.
    fn run_packet(&self, ring: &Ring, buffer: &RefCell<Vec<u8>>) -> Result<(), Stop> {
        let transfer = Transfer::new(self, buffer);
        let source = Source {
            level: Level::Ring,
            space: KERNEL,
            base: ring.base,
            size: ring.size,
        };
        let available = ring.tail.wrapping_sub(ring.head) & (ring.size - 1);
        let fetched = source.fetch(&transfer, self.class, ring.head, available)?;
        let irq = self.execute(&transfer, KERNEL, fetched.packet)?;

        let head = (ring.head + fetched.bytes) & (ring.size - 1);
        self.lock().ring.head = head;
        let written = match ring.writeback {
            0 => Ok(()),
            address => transfer.store(KERNEL, address, head.into()),
        };
        if irq {
            self.shared.irqs.raise(regs::VECTOR_ENGINE0 + self.number);
        }
        written
    }
}
