// SPDX-License-Identifier: MIT

//! How the kernel schedules a thread among others.

use std::io;

/// When a thread runs.
#[derive(Clone, Copy)]
pub(crate) enum Policy {
    /// Fairly, as others do.
    Fair,
    /// When no other wants the CPU. A thread may always do that.
    BehindAll,
    /// Before all others but the threads of interrupts: it is not preempted by what it wakes.
    BeforeAll,
}

/// Sets when the current thread runs.
pub(crate) fn set(policy: Policy) -> io::Result<()> {
    let (policy, sched_priority) = match policy {
        Policy::Fair => (libc::SCHED_OTHER, 0),
        Policy::BehindAll => (libc::SCHED_IDLE, 0),
        Policy::BeforeAll => (libc::SCHED_FIFO, 1),
    };
    let param = libc::sched_param { sched_priority };
    // SAFETY: The call reads the structure and changes nothing but how this thread is scheduled.
    match unsafe { libc::sched_setscheduler(0, policy, &param) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
