// SPDX-License-Identifier: GPL-2.0

//! The cost model: the device time of packets, by the figures of [`abi::cost`](crate::abi::cost).

use crate::abi::cost::{self, picoseconds};
use crate::fault::Access;

/// The path from an engine to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// To VRAM.
    Vram,
    /// To the scratchpad.
    Scratchpad,
    /// To system memory.
    System,
    /// To another GPU's VRAM.
    Peer,
}

impl Path {
    /// All paths, in the order of their discriminants.
    pub const ALL: [Self; 4] = [Self::Vram, Self::Scratchpad, Self::System, Self::Peer];

    fn bandwidth(self) -> u64 {
        match self {
            Self::Vram => cost::VRAM_BANDWIDTH,
            Self::Scratchpad => cost::SCRATCHPAD_BANDWIDTH,
            Self::System => cost::SYSTEM_BANDWIDTH,
            Self::Peer => cost::PEER_BANDWIDTH,
        }
    }

    fn latency(self) -> u64 {
        match self {
            Self::Vram => cost::VRAM_LATENCY,
            Self::Scratchpad => cost::SCRATCHPAD_LATENCY,
            Self::System => cost::SYSTEM_LATENCY,
            Self::Peer => cost::PEER_LATENCY,
        }
    }
}

/// Numbers of bytes by path.
pub type Bytes = [u64; Path::ALL.len()];

/// The translations of a range, by the work that they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Translations {
    /// Hits of the engine's TLB.
    pub hits: u64,
    /// Walks that ended in a table in VRAM.
    pub vram_walks: u64,
    /// Walks that ended in a table in system memory.
    pub system_walks: u64,
}

/// The accesses of a packet of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    bytes: Bytes,
    lines: Bytes,
    translations: Translations,
    /// End of the last access: the next one may begin in the same line.
    end: u64,
}

impl Side {
    /// Returns the time in picoseconds, with the latency of the first access if `waits`.
    fn time(&self, waits: bool) -> u64 {
        let mut latency = 0;
        let walks = self.translations.vram_walks * cost::WALK_VRAM
            + self.translations.system_walks * cost::WALK_SYSTEM;
        let mut time = walks * 1000;
        for (path, lines) in Path::ALL.into_iter().zip(self.lines) {
            if lines != 0 {
                latency = latency.max(path.latency());
                time += picoseconds(lines * cost::LINE, path.bandwidth());
            }
        }
        if waits { time + latency * 1000 } else { time }
    }
}

/// An engine's counters since its reset.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    busy: u64,
    /// Number of packets fetched.
    pub packets: u64,
    /// Bytes of packets.
    pub fetched: Bytes,
    /// Bytes that packets read.
    pub read: Bytes,
    /// Bytes that packets wrote.
    pub written: Bytes,
    /// Hits of the engine's TLB.
    pub tlb_hits: u64,
    /// Page walks.
    pub tlb_misses: u64,
}

impl Totals {
    /// Returns the busy time in nanoseconds.
    pub fn busy(&self) -> u64 {
        self.busy / 1000
    }
}

/// Accesses that have not been charged yet.
#[derive(Default)]
pub struct Meter {
    fetch: Side,
    read: Side,
    write: Side,
}

impl Meter {
    /// Records an access to `length` bytes at `address`; without a path, to no memory.
    pub fn note(
        &mut self,
        access: Access,
        path: Option<Path>,
        address: u64,
        length: u64,
        translations: Translations,
    ) {
        let side = match access {
            Access::Fetch => &mut self.fetch,
            Access::Read => &mut self.read,
            Access::Write => &mut self.write,
        };
        if let Some(path) = path {
            side.bytes[path as usize] += length;
            let first = match address {
                // The line has been counted.
                at if at == side.end => at.div_ceil(cost::LINE),
                at => at / cost::LINE,
            };
            side.end = address + length;
            side.lines[path as usize] += side.end.div_ceil(cost::LINE) - first;
        }
        side.translations.hits += translations.hits;
        side.translations.vram_walks += translations.vram_walks;
        side.translations.system_walks += translations.system_walks;
    }

    /// Charges `totals` with the fetch of a packet. One that was fetched ahead does not wait for
    /// its first byte.
    pub fn charge_fetch(&mut self, totals: &mut Totals, ahead: bool) {
        totals.packets += 1;
        totals.busy += cost::PACKET * 1000 + self.fetch.time(!ahead);
        self.settle(totals);
    }

    /// Charges `totals` with the accesses of a packet, and with `besides` nanoseconds.
    pub fn charge(&mut self, totals: &mut Totals, besides: u64) {
        totals.busy += besides * 1000 + self.read.time(true).max(self.write.time(true));
        self.settle(totals);
    }

    fn settle(&mut self, totals: &mut Totals) {
        for (side, bytes) in [
            (&self.fetch, &mut totals.fetched),
            (&self.read, &mut totals.read),
            (&self.write, &mut totals.written),
        ] {
            for (total, bytes) in bytes.iter_mut().zip(side.bytes) {
                *total += bytes;
            }
            totals.tlb_hits += side.translations.hits;
            totals.tlb_misses += side.translations.vram_walks + side.translations.system_walks;
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walks(vram_walks: u64, system_walks: u64) -> Translations {
        Translations {
            hits: 0,
            vram_walks,
            system_walks,
        }
    }

    #[test]
    fn the_slower_side_counts() {
        let mut totals = Totals::default();
        let mut meter = Meter::default();
        let mib = 1 << 20;
        meter.note(Access::Read, Some(Path::Vram), 0, mib, walks(1, 0));
        meter.note(Access::Write, Some(Path::System), 0, mib, walks(0, 2));
        meter.charge(&mut totals, 7);
        let wanted = 7 + cost::SYSTEM_LATENCY + 2 * cost::WALK_SYSTEM + mib * 1000 / 25_600;
        assert_eq!(totals.busy(), wanted);
        assert_eq!(totals.read, [mib, 0, 0, 0]);
        assert_eq!(totals.written, [0, 0, mib, 0]);
        assert_eq!(totals.tlb_misses, 3);
        // Nothing is left to charge.
        meter.charge(&mut totals, 0);
        assert_eq!(totals.busy(), wanted);
    }

    #[test]
    fn whole_lines_count() {
        let time = |address, length| {
            let mut totals = Totals::default();
            let mut meter = Meter::default();
            let none = Translations::default();
            meter.note(Access::Write, Some(Path::System), address, length, none);
            meter.charge(&mut totals, 0);
            totals.busy
        };
        assert_eq!(time(0, 1), time(0, 64));
        assert_eq!(time(63, 2), time(0, 128));
        assert!(time(0, 65) > time(0, 64));
    }

    #[test]
    fn pieces_of_one_stretch_cost_no_more() {
        let time = |pieces: &[(u64, u64)]| {
            let mut totals = Totals::default();
            let mut meter = Meter::default();
            let none = Translations::default();
            for (address, length) in pieces {
                meter.note(Access::Read, Some(Path::Vram), *address, *length, none);
            }
            meter.charge(&mut totals, 0);
            totals.busy
        };
        assert_eq!(
            time(&[(3, 500)]),
            time(&[(3, 7), (10, 54), (64, 1), (65, 438)])
        );
        assert!(time(&[(3, 7), (11, 7)]) > time(&[(3, 15)]));
    }

    #[test]
    fn sparse_pages_cost_their_walks_only() {
        let mut totals = Totals::default();
        let mut meter = Meter::default();
        meter.note(Access::Read, None, 0, 1 << 20, walks(1, 0));
        meter.charge(&mut totals, 0);
        assert_eq!(totals.busy(), cost::WALK_VRAM);
        assert_eq!(totals.read, [0; Path::ALL.len()]);
    }

    #[test]
    fn packets_fetched_ahead_do_not_wait() {
        let fetch = |ahead| {
            let mut totals = Totals::default();
            let mut meter = Meter::default();
            let none = Translations::default();
            meter.note(Access::Fetch, Some(Path::Vram), 0, 64, none);
            meter.charge_fetch(&mut totals, ahead);
            totals.busy
        };
        assert_eq!(fetch(false), fetch(true) + cost::VRAM_LATENCY * 1000);
    }
}
