// SPDX-License-Identifier: GPL-2.0

//! Locking the reservations of a job and finding room for its BOs, among others that do the same.
//!
//! Two jobs that each hold what the other one needs find no room, though there is enough for one
//! after the other. So a job that found none tries again while no other holds any reservation.

use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        msecs_to_jiffies,
        Delta,
        Instant,
        Jiffies,
        Monotonic,
        Msecs, //
    }, //
};

use super::room::Effort;
use crate::{
    device::RgtDevice,
    rust::{
        drm::exec::{
            Exec,
            ExecLocks, //
        },
        sync::{
            ReadGuard,
            WriteGuard, //
        }, //
    }, //
};

/// The time that a job waits for memory of deleted BOs that other jobs use, in ms.
const PATIENCE: Msecs = 15_000;

/// How often a job that is alone tries again when there is nothing to wait for: BOs stay that another
/// task has reserved, a fault of the CPU for example, which is for a moment.
const TRIES: u32 = 5;
/// The pause before each.
const PAUSE: Delta = Delta::from_millis(10);

/// Who is looking for room.
enum Turn<'a> {
    Shared { _guard: ReadGuard<'a> },
    Alone { _guard: WriteGuard<'a> },
}

/// The reservations of a job whose BOs have been validated.
pub(crate) struct Locked<'a> {
    exec: Pin<&'a mut Exec>,
    _turn: Turn<'a>,
}

impl Locked<'_> {
    /// Returns the reservations.
    pub(crate) fn exec(&self) -> &Exec {
        &self.exec
    }

    /// Returns the reservations, for what nothing else may do with them meanwhile.
    pub(crate) fn exec_mut(&mut self) -> Pin<&mut Exec> {
        self.exec.as_mut()
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Before the turn: who is alone meets no reservation of another job.
        self.exec.as_mut().release();
    }
}

/// Calls `lock` to lock the reservations of a job and to validate its BOs, until there is room for
/// them.
///
/// At first along with other jobs. If there is no room, then alone, and again when `settle` says that
/// there may be now, or each time that memory of a deleted BO becomes free, for both of which it
/// waits with no lock held, and a few times more. `settle` gets the time that is left.
///
/// Fails as `lock` does; `ENOSPC` and `ENOMEM` when waiting does not help. `ERESTARTSYS` when a
/// signal came.
pub(crate) fn lock_with_room<'a, R>(
    dev: &'a RgtDevice,
    mut exec: Pin<&'a mut Exec>,
    mut lock: impl FnMut(&mut ExecLocks<'_>, Effort) -> Result<R>,
    mut settle: impl FnMut(Jiffies) -> Result<bool>,
) -> Result<(Locked<'a>, R)> {
    let turn = Turn::Shared {
        _guard: dev.validation.read_interruptible()?,
    };
    match exec
        .as_mut()
        .until_all_locked(|locks| lock(locks, Effort::Shared))
    {
        Err(ENOSPC | ENOMEM) => drop(turn),
        done => return done.map(|value| (Locked { exec, _turn: turn }, value)),
    }

    let start = Instant::<Monotonic>::now();
    let mut tries = TRIES;
    loop {
        let seen = dev.ttm().deletions_done();
        let turn = Turn::Alone {
            _guard: dev.validation.write_killable()?,
        };
        match exec
            .as_mut()
            .until_all_locked(|locks| lock(locks, Effort::Alone))
        {
            Err(err @ (ENOSPC | ENOMEM)) => {
                drop(turn);
                if settle(time_left(start))?
                    || dev.ttm().wait_for_deletion(seen, time_left(start))?
                {
                    continue;
                }
                if err != ENOSPC || tries == 0 {
                    return Err(err);
                }
                tries -= 1;
                fsleep(PAUSE);
            }
            done => return done.map(|value| (Locked { exec, _turn: turn }, value)),
        }
    }
}

/// Returns what is left of a job's patience.
fn time_left(start: Instant<Monotonic>) -> Jiffies {
    let passed = Msecs::try_from(start.elapsed().as_millis()).unwrap_or(PATIENCE);

    msecs_to_jiffies(PATIENCE.saturating_sub(passed))
}
