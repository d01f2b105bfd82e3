// SPDX-License-Identifier: GPL-2.0

//! Having the device forget translations.
//!
//! The device does it on its own time: it is asked under a number, and says which number it has
//! come to. One that is never done leaves translations of memory that is about to be given to
//! others, so then the device is reset.

use core::{
    hint::spin_loop,
    ops::Range, //
};

use kernel::{
    io::poll::read_poll_timeout,
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
    time::Delta, //
};

use super::{
    Mmu,
    SpaceId, //
};
use crate::hw::{
    abi::regs::*,
    reset::Resetter, //
};

/// How often the device is asked without a pause in between: mostly it is done at once.
const LOOKS: u32 = 32;
/// Pause between two looks after that.
const PAUSE: Delta = Delta::from_micros(50);
/// How long an invalidation may take: it waits for accesses, not for jobs.
const PATIENCE: Delta = Delta::from_secs(10);

/// An invalidation that the device was asked for. What was mapped must not be given to others
/// before [`Mmu::wait`] has returned.
#[must_use]
#[derive(Clone, Copy)]
pub(crate) struct Invalidation {
    seqno: u32,
}

/// Numbers invalidations, and gives up on one that takes too long.
pub(super) struct Numbers {
    last: u32,
    resetter: Option<Arc<Resetter>>,
}

impl Numbers {
    pub(super) const fn new() -> Self {
        Self {
            last: 0,
            resetter: None,
        }
    }

    /// The next number: not 0, which the register has after a reset.
    fn next(&mut self) -> u32 {
        self.last = self.last.checked_add(1).unwrap_or(1);
        self.last
    }
}

/// Whether a device that has come to number `done` has come to `wanted`. Numbers wrap.
fn reached(done: u32, wanted: u32) -> bool {
    done.wrapping_sub(wanted) < 1 << 31
}

impl Mmu {
    /// Says what resets the device when it does not do what it is asked for, or [`None`] when it
    /// stops for good.
    pub(in crate::hw) fn set_resetter(&self, resetter: Option<Arc<Resetter>>) {
        let old = core::mem::replace(&mut self.numbers.lock().resetter, resetter);
        drop(old);
    }

    /// Has the device forget the translations of a range, and where the tables for it are.
    pub(in crate::hw) fn flush(&self, id: SpaceId, va: Range<u64>) {
        if let Some(invalidation) = self.invalidate(id, va) {
            self.wait(invalidation);
        }
    }

    /// Asks the device to forget the translations of a range. [`None`] for an empty one.
    pub(in crate::hw) fn invalidate(&self, id: SpaceId, va: Range<u64>) -> Option<Invalidation> {
        if va.is_empty() {
            // A size of 0 would mean everything.
            return None;
        }
        let mut numbers = self.numbers.lock();
        let seqno = numbers.next();
        self.regs.write64(TLB_START_LO, va.start);
        self.regs.write64(TLB_SIZE_LO, va.end - va.start);
        self.regs.write(TLB_SEQNO, seqno);
        self.regs.write(TLB_INVALIDATE, id.number);
        Some(Invalidation { seqno })
    }

    /// Waits until an invalidation, and all that were asked for before, are done. When this
    /// returns, no access is under way that uses what was to be forgotten: if the device does not
    /// get there, it is reset.
    pub(in crate::hw) fn wait(&self, Invalidation { seqno }: Invalidation) {
        for _ in 0..LOOKS {
            if reached(self.regs.read(TLB_DONE), seqno) {
                return;
            }
            spin_loop();
        }
        let done = read_poll_timeout(
            || Ok(self.is_done(seqno)),
            |done| *done,
            PAUSE,
            PATIENCE, //
        );
        if done.is_err() {
            self.give_up(seqno);
        }
    }

    fn is_done(&self, seqno: u32) -> bool {
        reached(self.regs.read(TLB_DONE), seqno)
            // A reset has emptied the TLB, and nothing was requested since.
            || !reached(self.regs.read(TLB_SEQNO), seqno)
            || !self.regs.is_present()
    }

    fn give_up(&self, seqno: u32) {
        dev_err!(
            self.dev,
            "TLB invalidation {} is not done, the last one was {}\n",
            seqno,
            self.regs.read(TLB_DONE)
        );
        // At once, for all that wait: this stops all accesses and empties the TLB. The caller may
        // hold locks that recovering the engines takes, so that is left to a work item.
        self.regs.reset();
        self.lost.store(true, Relaxed);
        let resetter = self.numbers.lock().resetter.clone();
        if let Some(resetter) = resetter {
            resetter.request();
        }
    }

    /// Whether the device was reset because of an invalidation and is not recovered yet.
    pub(in crate::hw) fn is_lost(&self) -> bool {
        self.lost.load(Relaxed)
    }
}
