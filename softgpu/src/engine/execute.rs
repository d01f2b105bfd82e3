// SPDX-License-Identifier: GPL-2.0

//! The execution of packets.

use std::time::{Duration, Instant};

use crate::abi::{cost, regs};
use crate::fault::{Access, Fault, Record};

use super::packet::{Level, Packet};
use super::source::Source;
use super::transfer::Transfer;
use super::{Engine, Stop};

/// Pause before the second look of a WAIT; each later one is twice as long, up to a limit.
const WAIT_FIRST: Duration = Duration::from_micros(10);
const WAIT_LONGEST: Duration = Duration::from_micros(500);

impl Engine {
    /// Runs a packet whose addresses are in `space`, and charges for it. True if it asks for the
    /// engine's interrupt.
    pub(super) fn execute(
        &self,
        transfer: &Transfer<'_>,
        space: u32,
        packet: Packet,
    ) -> Result<bool, Stop> {
        let besides = match packet {
            Packet::TlbInvalidate { .. } => cost::TLB_INVALIDATE,
            _ => 0,
        };
        // Packets that run others, or wait for others, have no speed of their own.
        let has_speed = !matches!(packet, Packet::Indirect { .. } | Packet::Wait { .. });
        self.before_packet()?;
        let began = Instant::now();
        let result = self.perform(transfer, space, packet);
        transfer.charge(besides);
        if has_speed && result.is_ok() {
            self.after_packet(began)?;
        }
        result
    }

    fn perform(&self, transfer: &Transfer<'_>, space: u32, packet: Packet) -> Result<bool, Stop> {
        match packet {
            Packet::Nop => {}
            Packet::Fence {
                address,
                value,
                irq,
            } => {
                transfer.store(space, address, value)?;
                return Ok(irq);
            }
            Packet::Indirect {
                space,
                dwords,
                address,
                tag,
            } => self.indirect(transfer, space, address, dwords, tag)?,
            Packet::TlbInvalidate { space, start, size } => {
                let mut view = self.shared.memory.write();
                view.mmu.invalidate(space, start, size);
            }
            Packet::Wait { address, value } => self.wait(transfer, space, address, value)?,
            Packet::Timestamp { address } => {
                let busy = self.totals().busy();
                transfer.store(space, address, busy)?;
            }
            Packet::Copy {
                source,
                destination,
                bytes,
            } => transfer.copy(space, source, destination, bytes)?,
            Packet::Fill {
                destination,
                bytes,
                pattern,
            } => transfer.fill(space, destination, bytes, pattern)?,
            Packet::Write { destination, data } => transfer.write(space, destination, &data)?,
            Packet::Checksum {
                source,
                bytes,
                destination,
            } => {
                let sum = transfer.checksum(space, source, bytes)?;
                transfer.store(space, destination, sum)?;
            }
            Packet::CopyRows {
                source,
                destination,
                bytes,
                rows,
            } => transfer.copy_rows(space, source, destination, bytes, rows)?,
            Packet::Atomic {
                address,
                change,
                result,
            } => {
                let old = transfer.change(space, address, change)?;
                if result != 0 {
                    transfer.store(space, result, old)?;
                }
            }
            Packet::RectFill(rectangle) => rectangle.draw(transfer, space)?,
            Packet::Blit(blit) => blit.draw(transfer, space)?,
            Packet::Triangle(triangle) => triangle.draw(transfer, space)?,
        }
        Ok(false)
    }

    /// Runs an indirect buffer. Its faults are reported and end it, not the ring.
    fn indirect(
        &self,
        transfer: &Transfer<'_>,
        space: u32,
        base: u64,
        dwords: u32,
        tag: u64,
    ) -> Result<(), Stop> {
        let source = Source {
            level: Level::Indirect,
            space,
            base,
            size: dwords * 4,
        };
        match self.run_buffer(transfer, &source) {
            Err(Stop::Fault(fault)) => self.report(&fault, tag),
            result => result,
        }
    }

    fn run_buffer(&self, transfer: &Transfer<'_>, source: &Source) -> Result<(), Stop> {
        super::transfer::check_range(source.space, source.base, source.size.into(), Access::Fetch)?;
        let mut offset = 0;
        while offset < source.size {
            let fetched = source.fetch(transfer, self.class, offset, source.size - offset)?;
            self.execute(transfer, source.space, fetched.packet)?;
            offset += fetched.bytes;
        }
        Ok(())
    }

    /// Puts a fault into the queue, once there is room, and raises its interrupt.
    pub(super) fn report(&self, fault: &Fault, tag: u64) -> Result<(), Stop> {
        let record = Record::new(self.number, fault, tag);
        if !self.shared.faults.push(record, || self.stopped()) {
            return Err(Stop::Interrupted);
        }
        self.shared.irqs.raise(regs::VECTOR_FAULT);
        Ok(())
    }

    fn wait(
        &self,
        transfer: &Transfer<'_>,
        space: u32,
        address: u64,
        value: u64,
    ) -> Result<(), Stop> {
        let mut pause = WAIT_FIRST;
        // One look costs device time. How many there are depends on the machine.
        let mut word = transfer.load(space, address)?;
        transfer.charge(0);
        while word < value {
            self.pause(pause)?;
            pause = (pause * 2).min(WAIT_LONGEST);
            word = transfer.load(space, address)?;
            transfer.forget();
        }
        Ok(())
    }
}
