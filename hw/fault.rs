// SPDX-License-Identifier: GPL-2.0

//! Faults that the engines report.

use kernel::{
    device::Device,
    fmt::{
        Display,
        Formatter,
        Result as FmtResult,
        Write, //
    },
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

/// The device's queue of fault records, and what is known from those taken out of it.
#[pin_data]
pub(super) struct Faults {
    dev: ARef<Device>,
    #[pin]
    known: Mutex<Known>,
}

struct Known {
    /// The first fault of each job that is pending, by its slot, of one engine after the other.
    jobs: KVec<Option<Fault>>,
    /// Engines whose ring faulted, a bit an engine.
    rings: u32,
    /// The last one of all.
    last: Option<Record>,
    limit: Limit,
}

/// What an engine could not do.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    /// The engine.
    pub(crate) engine: u32,
    /// The address space, as the device numbers them.
    pub(crate) space: u32,
    /// One of [`ACCESS_READ`], [`ACCESS_WRITE`], [`ACCESS_FETCH`].
    pub(crate) access: u32,
    /// Why, see [`fault`](super::abi::fault).
    pub(crate) reason: u32,
    /// GPU virtual address.
    pub(crate) address: u64,
}

/// A record.
#[derive(Clone, Copy)]
struct Record {
    fault: Fault,
    tag: u64,
}

impl Faults {
    /// Nothing is known.
    pub(super) fn new(dev: &Device) -> Result<impl PinInit<Self> + use<'_>> {
        let slots = MAX_ENGINES as usize * MAX_JOBS;
        let mut jobs = KVec::with_capacity(slots, GFP_KERNEL)?;
        for _ in 0..slots {
            jobs.push(None, GFP_KERNEL)?;
        }
        Ok(pin_init!(Self {
            dev: dev.into(),
            known <- new_mutex!(Known {
                jobs,
                rings: 0,
                last: None,
                limit: Limit::new(),
            }, "Faults::known"),
        }))
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

    /// The first fault of job `seqno` of `engine`, if there was one; forgets it.
    pub(super) fn take_job(&self, engine: u32, seqno: u64) -> Option<Fault> {
        self.known.lock().job(engine, seqno)?.take()
    }

    /// Writes the last one.
    pub(super) fn describe(&self, out: &mut dyn Write) -> FmtResult {
        match &self.known.lock().last {
            Some(record) => out.write_fmt(fmt!("last fault: {record}\n")),
            None => Ok(()),
        }
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
    fn job(&mut self, engine: u32, seqno: u64) -> Option<&mut Option<Fault>> {
        let slot = (seqno % MAX_JOBS as u64) as usize;
        self.jobs.get_mut(engine as usize * MAX_JOBS + slot)
    }

    fn note(&mut self, record: &Record) {
        self.last = Some(*record);
        let engine = record.fault.engine;
        if engine >= MAX_ENGINES {
            return;
        }
        if record.tag == 0 {
            self.rings |= 1 << engine;
        } else if let Some(known) = self.job(engine, record.tag) {
            known.get_or_insert(record.fault);
        }
    }
}

impl Record {
    /// Reads the oldest one.
    fn read(regs: &Regs) -> Self {
        let info = regs.read(FAULT_INFO);
        Self {
            fault: Fault {
                engine: info >> ENGINE_SHIFT & 0xff,
                space: info >> AS_SHIFT & 0xff,
                access: info >> ACCESS_SHIFT & 0xf,
                reason: info >> REASON_SHIFT & 0xff,
                address: regs.read64(FAULT_ADDR_LO),
            },
            tag: regs.read64(FAULT_TAG_LO),
        }
    }

    fn report(&self, dev: &Device) {
        dev_warn!(dev, "{}\n", self);
    }
}

impl Display for Record {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        write!(
            f,
            "engine {} job {}: {} at {:#x} in address space {}: {}",
            self.fault.engine,
            self.tag,
            match self.fault.access {
                ACCESS_READ => "read",
                ACCESS_WRITE => "write",
                ACCESS_FETCH => "fetch",
                _ => "unknown access",
            },
            self.fault.address,
            self.fault.space,
            match self.fault.reason {
                NOT_PRESENT => "not present",
                NOT_WRITABLE => "not writable",
                BAD_ENTRY => "bad page-table entry",
                BAD_ADDRESS => "bad address in a page-table entry",
                OUT_OF_RANGE => "out of range",
                BAD_PACKET => "bad packet",
                MISALIGNED => "misaligned",
                NO_ATOMICS => "no atomics there",
                POISONED => "bad page of VRAM",
                _ => "unknown reason",
            }
        )
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
