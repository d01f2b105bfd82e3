// SPDX-License-Identifier: GPL-2.0

//! TLB invalidations by register, and the thread that executes them.
//!
//! An invalidation waits for the accesses under way. A register write does not wait: it queues the
//! invalidation.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::abi::limits::{ADDRESS_SPACES, TLB_QUEUE};
use crate::memory::Memory;
use crate::mmu::Mmu;

/// Queued invalidations and their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    seqno: u32,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Bytes of an address space from an address; all of it for a size of 0.
    Range { space: u32, start: u64, size: u64 },
    /// All address spaces.
    Everything,
}

impl What {
    fn apply(self, mmu: &mut Mmu) {
        match self {
            Self::Range { space, start, size } => mmu.invalidate(space, start, size),
            Self::Everything => {
                for space in 0..ADDRESS_SPACES {
                    mmu.invalidate(space, 0, 0);
                }
            }
        }
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Request>,
    /// Number of the last completed one.
    done: u32,
    /// A hang is pending for the next one.
    hang_next: bool,
    /// One hangs, and those behind it wait.
    hung: bool,
    /// The thread is to end.
    exit: bool,
}

/// The queue of invalidations.
#[derive(Default)]
pub struct Invalidations {
    state: Mutex<State>,
    wake: Condvar,
}

impl Invalidations {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues the invalidation of `size` bytes of `space` from `start`; of all of it if `size` is
    /// 0.
    pub fn push(&self, seqno: u32, space: u32, start: u64, size: u64) {
        let mut state = self.lock();
        state.hung |= std::mem::take(&mut state.hang_next);
        let mut what = What::Range { space, start, size };
        if state.waiting.len() == TLB_QUEUE as usize {
            state.waiting.clear();
            what = What::Everything;
        }
        state.waiting.push_back(Request { seqno, what });
        self.wake.notify_one();
    }

    /// Returns the number of the last completed one.
    pub fn done(&self) -> u32 {
        self.lock().done
    }

    /// Makes the next one hang until the device is reset.
    pub fn hang(&self) {
        self.lock().hang_next = true;
    }

    /// Whether one hangs.
    pub fn hung(&self) -> bool {
        self.lock().hung
    }

    /// Empties the queue at a reset of the device. The caller excludes accesses.
    pub fn reset(&self) {
        let mut state = self.lock();
        state.waiting.clear();
        state.done = 0;
        state.hung = false;
    }

    /// Ends the thread.
    pub fn shut_down(&self) {
        self.lock().exit = true;
        self.wake.notify_one();
    }

    /// Executes invalidations until the shutdown.
    pub(crate) fn work(&self, memory: &Memory) {
        while self.wait() {
            let mut view = memory.write();
            // A reset, which holds the memory too, may have come before.
            let mut state = self.lock();
            while !state.hung
                && let Some(request) = state.waiting.pop_front()
            {
                request.what.apply(&mut view.mmu);
                state.done = request.seqno;
            }
        }
    }

    /// Waits for an invalidation. False at the shutdown.
    fn wait(&self) -> bool {
        let mut state = self.lock();
        while !state.exit && (state.hung || state.waiting.is_empty()) {
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        !state.exit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_is_room_for_become_one_of_everything() {
        let queue = Invalidations::default();
        let waiting = || -> Vec<Request> { queue.lock().waiting.iter().copied().collect() };
        for seqno in 1..=TLB_QUEUE {
            queue.push(seqno, 1, 0x1000, 0x1000);
        }
        assert_eq!(waiting().len(), TLB_QUEUE as usize);
        queue.push(TLB_QUEUE + 1, 2, 0, 0x1000);
        let everything = Request {
            seqno: TLB_QUEUE + 1,
            what: What::Everything,
        };
        assert_eq!(waiting(), [everything]);
        assert_eq!(queue.done(), 0);
    }
}
