// SPDX-License-Identifier: GPL-2.0

//! The TLB.
//!
//! Invalidations are asynchronous: each has a sequence number, and the device reports the last one
//! that it has completed. One that never completes leaves stale translations of memory that is
//! about to be reused, so when it times out, the device is reset.

use core::{
    hint::spin_loop,
    ops::Range, //
};

use kernel::{
    device::Device,
    io::poll::read_poll_timeout,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            AtomicFlag,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::Delta, //
};

use crate::hw::{
    abi::regs::*,
    regs::Regs,
    reset_request::ResetRequest, //
};

/// Reads of the sequence number without a pause: most invalidations complete at once.
const SPINS: u32 = 32;
/// Interval of the reads after that.
const POLL_INTERVAL: Delta = Delta::from_micros(50);
/// Time-out of an invalidation, which waits for accesses, not for jobs.
const TIMEOUT: Delta = Delta::from_secs(10);

/// An invalidation that was queued. The memory that was mapped must not be reused before
/// [`Tlb::wait`] has returned.
#[must_use]
#[derive(Clone, Copy)]
pub(crate) struct Invalidation {
    seqno: u32,
}

/// The TLB of a device.
#[pin_data]
pub(super) struct Tlb {
    dev: ARef<Device>,
    regs: Regs,
    reset_request: Arc<ResetRequest>,
    /// Held while an invalidation is queued, which takes several register writes.
    #[pin]
    state: Mutex<State>,
    /// The device was reset for a time-out, and is not recovered yet.
    hung: AtomicFlag,
}

struct State {
    /// The sequence number of the last invalidation.
    last: u32,
}

impl State {
    /// Returns the next sequence number: not 0, which the register has after a reset.
    fn next(&mut self) -> u32 {
        self.last = self.last.checked_add(1).unwrap_or(1);
        self.last
    }
}

/// Returns whether `done` is `wanted` or later. Sequence numbers wrap.
fn reached(done: u32, wanted: u32) -> bool {
    done.wrapping_sub(wanted) < 1 << 31
}

impl Tlb {
    /// Makes the TLB of a device, which was just reset.
    pub(super) fn new<'a>(
        dev: &'a Device,
        regs: &'a Regs,
        reset_request: &'a Arc<ResetRequest>,
    ) -> impl PinInit<Self> + use<'a> {
        pin_init!(Self {
            dev: dev.into(),
            regs: regs.clone(),
            reset_request: reset_request.clone(),
            state <- new_mutex!(State { last: 0 }, "Tlb::state"),
            hung: AtomicFlag::new(false),
        })
    }

    /// Queues an invalidation of the translations of a range in a slot, and of the cached pointers
    /// to its page tables. [`None`] for an empty one.
    pub(super) fn invalidate(&self, slot: u32, va: Range<u64>) -> Option<Invalidation> {
        if va.is_empty() {
            // A size of 0 would mean everything.
            return None;
        }
        let mut state = self.state.lock();
        let seqno = state.next();
        self.regs.write64(TLB_START_LO, va.start);
        self.regs.write64(TLB_SIZE_LO, va.end - va.start);
        self.regs.write(TLB_SEQNO, seqno);
        self.regs.write(TLB_INVALIDATE, slot);
        Some(Invalidation { seqno })
    }

    /// Waits for an invalidation, and for all that were queued before it.
    ///
    /// When this returns, no access is under way that uses an old translation: on a time-out the
    /// device is reset.
    pub(super) fn wait(&self, Invalidation { seqno }: Invalidation) {
        for _ in 0..SPINS {
            if reached(self.regs.read(TLB_DONE), seqno) {
                return;
            }
            spin_loop();
        }
        let done = read_poll_timeout(
            || Ok(self.is_done(seqno)),
            |done| *done,
            POLL_INTERVAL,
            TIMEOUT, //
        );
        if done.is_err() {
            self.reset_hung(seqno);
        }
    }

    fn is_done(&self, seqno: u32) -> bool {
        reached(self.regs.read(TLB_DONE), seqno)
            // A reset has emptied the TLB, and nothing was queued since.
            || !reached(self.regs.read(TLB_SEQNO), seqno)
            || !self.regs.is_present()
    }

    fn reset_hung(&self, seqno: u32) {
        dev_err!(
            self.dev,
            "TLB invalidation {} is not done, the last one was {}\n",
            seqno,
            self.regs.read(TLB_DONE)
        );
        // At once, for all waiters: this stops all accesses and empties the TLB. Recovering the
        // engines is requested, as the caller may hold locks that it takes.
        self.regs.reset();
        self.hung.store(true, Relaxed);
        self.reset_request.raise();
    }

    /// Returns whether the device was reset for a time-out and is not recovered yet.
    pub(super) fn is_hung(&self) -> bool {
        self.hung.load(Relaxed)
    }

    /// Notes that the device is recovered.
    pub(super) fn recovered(&self) {
        self.hung.store(false, Relaxed);
    }
}
