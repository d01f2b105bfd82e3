// SPDX-License-Identifier: GPL-2.0

//! Sources of packets: rings and indirect buffers.

use crate::fault::{Access, Fault, Reason};

use super::packet::{Header, Level, Packet};
use super::transfer::Transfer;
use super::{Class, Stop};

/// A packet and the bytes that it takes in its source.
pub(super) struct Fetched {
    pub(super) packet: Packet,
    pub(super) bytes: u32,
}

/// Memory that holds packets. Offsets wrap around its end.
pub(super) struct Source {
    pub(super) level: Level,
    pub(super) space: u32,
    pub(super) base: u64,
    pub(super) size: u32,
}

impl Source {
    /// Fetches the packet at `offset`, from where `available` bytes, not 0, have packets. Charges
    /// the engine.
    pub(super) fn fetch(
        &self,
        transfer: &Transfer<'_>,
        class: Class,
        offset: u32,
        available: u32,
    ) -> Result<Fetched, Stop> {
        let fetched = self.read_packet(transfer, class, offset, available);
        // The rest of a buffer is fetched while its packets run. A ring may get more at any time,
        // so each of its packets is looked for when its turn comes.
        transfer.charge_fetch(self.level == Level::Indirect && offset != 0);
        fetched
    }

    fn read_packet(
        &self,
        transfer: &Transfer<'_>,
        class: Class,
        offset: u32,
        available: u32,
    ) -> Result<Fetched, Stop> {
        let bad = || Fault {
            space: self.space,
            address: self.base + u64::from(offset),
            access: Access::Fetch,
            reason: Reason::BadPacket,
        };
        let mut raw = [0; 4];
        self.read(transfer, offset, &mut raw)?;
        let header = Header::parse(u32::from_le_bytes(raw), class, self.level).ok_or_else(bad)?;
        let bytes = header.dwords * 4;
        if bytes > available {
            return Err(bad().into());
        }
        let mut operands = vec![0; header.operand_bytes()];
        self.read(transfer, (offset + 4) % self.size, &mut operands)?;
        let packet = Packet::decode(header, operands, self.space)
            .map_err(|fault| fault.unwrap_or_else(bad))?;
        Ok(Fetched { packet, bytes })
    }

    fn read(&self, transfer: &Transfer<'_>, offset: u32, into: &mut [u8]) -> Result<(), Stop> {
        let until_end = ((self.size - offset) as usize).min(into.len());
        let (first, wrapped) = into.split_at_mut(until_end);
        let start = self.base + u64::from(offset);
        transfer.read(self.space, start, first, Access::Fetch)?;
        transfer.read(self.space, self.base, wrapped, Access::Fetch)
    }
}
