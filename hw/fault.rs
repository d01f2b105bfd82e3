// SPDX-License-Identifier: GPL-2.0

//! The device's queue of fault records.

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
        fault,
        limits::{
            FAULT_QUEUE,
            MAX_ENGINES, //
        },
        regs::*, //
    },
    regs::Regs, //
};
use crate::fence::{
    Access,
    Fault,
    FaultReason,
    MAX_IN_FLIGHT, //
};

/// The faults of a device: those of jobs in flight, and of rings that halted.
#[pin_data]
pub(super) struct Faults {
    dev: ARef<Device>,
    #[pin]
    drained: Mutex<Drained>,
}

/// The content of the records that were drained.
struct Drained {
    /// The first fault of each job in flight, by its slot, of one engine after the other.
    jobs: KVec<Option<Fault>>,
    /// Engines whose ring faulted, one bit per engine.
    rings: u32,
    /// The last record of all.
    last: Option<Record>,
    limit: RateLimit,
}

/// A fault record.
#[derive(Clone, Copy)]
struct Record {
    fault: Fault,
    tag: u64,
}

impl Faults {
    /// Allocates room for the faults of all jobs in flight.
    pub(super) fn new(dev: &Device) -> Result<impl PinInit<Self> + use<'_>> {
        let slots = MAX_ENGINES as usize * MAX_IN_FLIGHT;
        let mut jobs = KVec::with_capacity(slots, GFP_KERNEL)?;
        for _ in 0..slots {
            jobs.push(None, GFP_KERNEL)?;
        }
        Ok(pin_init!(Self {
            dev: dev.into(),
            drained <- new_mutex!(Drained {
                jobs,
                rings: 0,
                last: None,
                limit: RateLimit::new(),
            }, "Faults::drained"),
        }))
    }

    /// Drains the device's queue.
    pub(super) fn drain(&self, regs: &Regs) {
        // Held throughout: once this returns, records that another CPU popped are noted as well.
        let mut drained = self.drained.lock();
        let count = regs.read(FAULT_COUNT);
        if count > FAULT_QUEUE {
            return;
        }
        for _ in 0..count {
            let record = Record::read(regs);
            // It may have gone to sleep, and answers no more.
            if regs.is_asleep() {
                return;
            }
            regs.write(FAULT_POP, 0);
            drained.note(&record);
            if drained.limit.pass(&self.dev) {
                record.report(&self.dev);
            }
        }
    }

    /// Takes the first fault of job `seqno` of `engine`, if it faulted.
    pub(super) fn take_job(&self, engine: u32, seqno: u64) -> Option<Fault> {
        self.drained.lock().job(engine, seqno)?.take()
    }

    /// Prints the last fault.
    pub(super) fn print(&self, out: &mut dyn Write) -> FmtResult {
        match &self.drained.lock().last {
            Some(record) => out.write_fmt(fmt!("last fault: {record}\n")),
            None => Ok(()),
        }
    }

    /// Returns the engines whose ring faulted, one bit per engine.
    pub(super) fn rings(&self) -> u32 {
        self.drained.lock().rings
    }

    /// Returns whether the ring of `engine` faulted, and clears that.
    pub(super) fn take_ring(&self, engine: u32) -> bool {
        let mut drained = self.drained.lock();
        let found = drained.rings & (1 << engine) != 0;
        drained.rings &= !(1 << engine);
        found
    }
}

impl Drained {
    fn job(&mut self, engine: u32, seqno: u64) -> Option<&mut Option<Fault>> {
        let slot = (seqno % MAX_IN_FLIGHT as u64) as usize;
        self.jobs.get_mut(engine as usize * MAX_IN_FLIGHT + slot)
    }

    fn note(&mut self, record: &Record) {
        self.last = Some(*record);
        let engine = record.fault.engine;
        if engine >= MAX_ENGINES {
            return;
        }
        if record.tag == 0 {
            self.rings |= 1 << engine;
        } else if let Some(first) = self.job(engine, record.tag) {
            first.get_or_insert(record.fault);
        }
    }
}

impl Record {
    /// Reads the oldest record.
    fn read(regs: &Regs) -> Self {
        let info = regs.fault_info();
        Self {
            fault: Fault {
                engine: info.engine().get(),
                space: info.space().get(),
                access: match info.access().get() {
                    fault::ACCESS_READ => Access::Read,
                    fault::ACCESS_WRITE => Access::Write,
                    fault::ACCESS_FETCH => Access::Fetch,
                    _ => Access::Unknown,
                },
                reason: match info.reason().get() {
                    fault::NOT_PRESENT => FaultReason::NotPresent,
                    fault::NOT_WRITABLE => FaultReason::NotWritable,
                    fault::BAD_ENTRY => FaultReason::BadEntry,
                    fault::BAD_ADDRESS => FaultReason::BadAddress,
                    fault::OUT_OF_RANGE => FaultReason::OutOfRange,
                    fault::BAD_PACKET => FaultReason::BadPacket,
                    fault::MISALIGNED => FaultReason::Misaligned,
                    fault::NO_ATOMICS => FaultReason::NoAtomics,
                    fault::POISONED => FaultReason::Poisoned,
                    _ => FaultReason::Unknown,
                },
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
                Access::Read => "read",
                Access::Write => "write",
                Access::Fetch => "fetch",
                Access::Unknown => "unknown access",
            },
            self.fault.address,
            self.fault.space,
            match self.fault.reason {
                FaultReason::NotPresent => "not present",
                FaultReason::NotWritable => "not writable",
                FaultReason::BadEntry => "bad page-table entry",
                FaultReason::BadAddress => "bad address in a page-table entry",
                FaultReason::OutOfRange => "out of range",
                FaultReason::BadPacket => "bad packet",
                FaultReason::Misaligned => "misaligned",
                FaultReason::NoAtomics => "no atomics there",
                FaultReason::Poisoned => "bad page of VRAM",
                FaultReason::Unknown => "unknown reason",
            }
        )
    }
}

/// A rate limit of reports, against clients that flood the log with faults.
struct RateLimit {
    since: Instant<Monotonic>,
    reported: u32,
    missed: u32,
}

impl RateLimit {
    const INTERVAL: Delta = Delta::from_secs(5);
    const BURST: u32 = 10;

    fn new() -> Self {
        Self {
            since: Instant::now(),
            reported: 0,
            missed: 0,
        }
    }

    /// Returns whether a record is to be reported.
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
