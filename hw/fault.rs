// SPDX-License-Identifier: GPL-2.0

//! Faults that the engines report.

use kernel::{
    device::Device,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Mutex, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

use super::{
    abi::{
        fault::*,
        limits::{
            FAULT_QUEUE,
            MAX_ENGINES, //
        },
        regs::*, //
    },
    engine::MAX_JOBS,
    regs::Regs, //
};

const WORD_BITS: usize = u64::BITS as usize;

/// The device's queue of fault records, and what is known from those taken out of it.
#[pin_data]
pub(super) struct Faults {
    dev: ARef<Device>,
    #[pin]
    known: Mutex<Known>,
}

struct Known {
    /// Jobs that faulted and are still pending, for each engine a bit a slot.
    jobs: [[u64; MAX_JOBS.div_ceil(WORD_BITS)]; MAX_ENGINES as usize],
    /// Engines whose ring faulted, a bit an engine.
    rings: u32,
    limit: Limit,
}

/// A record.
struct Record {
    engine: u32,
    space: u32,
    access: u32,
    reason: u32,
    address: u64,
    tag: u64,
}

impl Faults {
    /// Nothing is known.
    pub(super) fn new(dev: &Device) -> impl PinInit<Self> + use<'_> {
        pin_init!(Self {
            dev: dev.into(),
            known <- new_mutex!(Known {
                jobs: [[0; _]; _],
                rings: 0,
                limit: Limit::new(),
            }, "Faults::known"),
        })
    }

    /// Takes all records that the device has now.
    pub(super) fn drain(&self, regs: &Regs) {
        // Held over the whole of it: once this returns, whoever took a record has also noted it.
        let mut known = self.known.lock();
        let count = regs.read(FAULT_COUNT);
        if count > FAULT_QUEUE {
            return;
        }
        for _ in 0..count {
            let record = Record::read(regs);
            regs.write(FAULT_POP, 0);
            known.note(&record);
            if known.limit.pass(&self.dev) {
                record.report(&self.dev);
            }
        }
    }

    /// Whether job `seqno` of `engine` faulted; forgets it.
    pub(super) fn take_job(&self, engine: u32, seqno: u64) -> bool {
        let mut known = self.known.lock();
        let Some((word, bit)) = known.job(engine, seqno) else {
            return false;
        };
        let found = *word & bit != 0;
        *word &= !bit;
        found
    }

    /// Engines whose ring faulted, a bit an engine.
    pub(super) fn rings(&self) -> u32 {
        self.known.lock().rings
    }

    /// Whether the ring of `engine` faulted; forgets it.
    pub(super) fn take_ring(&self, engine: u32) -> bool {
        let mut known = self.known.lock();
        let found = known.rings & (1 << engine) != 0;
        known.rings &= !(1 << engine);
        found
    }
}

impl Known {
    fn job(&mut self, engine: u32, seqno: u64) -> Option<(&mut u64, u64)> {
        let slot = (seqno % MAX_JOBS as u64) as usize;
        let word = self
            .jobs
            .get_mut(engine as usize)?
            .get_mut(slot / WORD_BITS)?;
        Some((word, 1 << (slot % WORD_BITS)))
    }

    fn note(&mut self, record: &Record) {
        if record.tag != 0 {
            if let Some((word, bit)) = self.job(record.engine, record.tag) {
                *word |= bit;
            }
        } else if record.engine < MAX_ENGINES {
            self.rings |= 1 << record.engine;
        }
    }
}

impl Record {
    /// Reads the oldest one.
    fn read(regs: &Regs) -> Self {
        let info = regs.read(FAULT_INFO);
        Self {
            engine: info >> ENGINE_SHIFT & 0xff,
            space: info >> AS_SHIFT & 0xff,
            access: info >> ACCESS_SHIFT & 0xf,
            reason: info >> REASON_SHIFT & 0xff,
            address: regs.read64(FAULT_ADDR_LO),
            tag: regs.read64(FAULT_TAG_LO),
        }
    }

    fn report(&self, dev: &Device) {
        dev_warn!(
            dev,
            "engine {} job {}: {} at {:#x} in address space {}: {}\n",
            self.engine,
            self.tag,
            match self.access {
                ACCESS_READ => "read",
                ACCESS_WRITE => "write",
                ACCESS_FETCH => "fetch",
                _ => "unknown access",
            },
            self.address,
            self.space,
            match self.reason {
                NOT_PRESENT => "not present",
                NOT_WRITABLE => "not writable",
                BAD_ENTRY => "bad page-table entry",
                BAD_ADDRESS => "bad address in a page-table entry",
                OUT_OF_RANGE => "out of range",
                BAD_PACKET => "bad packet",
                MISALIGNED => "misaligned",
                _ => "unknown reason",
            }
        );
    }
}

/// Keeps a client that faults on purpose from flooding the log.
struct Limit {
    since: Instant<Monotonic>,
    reported: u32,
    missed: u32,
}

impl Limit {
    const INTERVAL: Delta = Delta::from_secs(5);
    const BURST: u32 = 10;

    fn new() -> Self {
        Self {
            since: Instant::now(),
            reported: 0,
            missed: 0,
        }
    }

    fn pass(&mut self, dev: &Device) -> bool {
        if self.since.elapsed() >= Self::INTERVAL {
            if self.missed != 0 {
                dev_warn!(dev, "{} more faults were not reported\n", self.missed);
            }
            *self = Self::new();
        }
        if self.reported < Self::BURST {
            self.reported += 1;
            true
        } else {
            self.missed += 1;
            false
        }
    }
}
